"""Opportunities: the deals with a lead."""

from collections.abc import Iterable
from datetime import timedelta

from clinch.crm.activities.status_changes import (
    OpportunityStatusChange,
    original_status,
    tell,
    what_tells,
)
from clinch.crm.at_a_glance import first_of_contacts
from clinch.crm.attachments import Attachment
from clinch.crm.contacts import Contact
from clinch.crm.hanging_on import comment_summary, move_what_hangs, what_hangs_on_moved
from clinch.crm.leads import Lead
from clinch.crm.pipelines import OpportunityStatus
from clinch.crm.rich_text import RichText, keep_twins, to_plain_with_links
from clinch.db.schema import Index
from clinch.resources.actor import Actor
from clinch.resources.custom_fields import CustomFields
from clinch.resources.declaration import Owned, Restorable, of_organization
from clinch.resources.errors import NO_OBJECT, BadRequest, ValidationError
from clinch.resources.fields import (
    EQ,
    EQ_IN,
    RANGE,
    Choice,
    Computed,
    Date,
    DateTime,
    Integer,
    ListOf,
    Lookup,
    Ref,
    Shown,
    Summary,
    Text,
    stored_time,
)
from clinch.resources.links import Links
from clinch.resources.query.groups import Grouping
from clinch.resources.query.tree import Equal, Node
from clinch.resources.write.change import Change
from clinch.resources.write.load import Load
from clinch.resources.write.work import Work

_HISTORY = OpportunityStatusChange, OpportunityStatusChange.about
_PERIODS = ("one_time", "monthly", "annual")
_SYMBOL = "(select o.currency_symbol from organization o where o.organization_id = $1)"


def make_lead(work: Work, changes: list[Change]) -> None:
    """An opportunity that names no lead gets an untitled one."""
    for change in changes:
        if change.kind == "create" and change.get(Opportunity.lead) is None:
            change.set(Opportunity.lead, work.create(Lead, {}).id)


def stay_in_pipeline(work: Work, changes: list[Change]) -> None:
    """A status that is sent with a pipeline belongs to it."""
    for change in changes:
        wanted = change.body.get("pipeline_id") if change.kind == "create" else None
        status = work.row(OpportunityStatus, change.get(Opportunity.status))
        if wanted and status is not None and status["pipeline_id"] != wanted:
            raise ValidationError({"pipeline": NO_OBJECT})


def set_closing_dates(work: Work, changes: list[Change]) -> None:
    """Won is dated the day it happens where the user is, unless a day is known; lost the moment."""
    for change in changes:
        status = work.row(OpportunityStatus, change.get(Opportunity.status))
        if change.kind == "delete" or status is None or not change.moved(Opportunity.status):
            continue
        if status["type"] == "won" and change.get(Opportunity.date_won) is None:
            change.set(Opportunity.date_won, work.actor.today().isoformat())
        lost = status["type"] == "lost"
        change.set(Opportunity.date_lost, stored_time(work.now) if lost else None)


def history_of_statuses(work: Work, changes: list[Change]) -> Iterable[Load]:
    """What a change of status is told from: the statuses there were, and the last entries."""
    yield from what_tells(work, *_HISTORY, changes)


def write_history(work: Work, changes: list[Change]) -> None:
    """A change of status is told in the history of the lead."""
    for change in changes:
        if change.kind == "update" and change.moved(Opportunity.status):
            tell(work, *_HISTORY, change, {OpportunityStatusChange.about.key: change.id})


def derive_notes(work: Work, changes: list[Change]) -> None:
    for change in changes:
        if change.kind != "delete":
            keep_twins(change, Opportunity.note, Opportunity.note_html, to_plain_with_links)


def _money(amount: str, symbol: str, period: str = "''") -> str:
    return f"api_money({amount}, {symbol}, {period})"


def _totals() -> dict[str, str]:
    """Sums of everything that a list would answer, in cents: by period, and by the year."""
    yearly = "{row}.value * case {row}.value_period when 'monthly' then 12 else 1 end"
    totals = {
        "count_by_value_period": "(json_strip_nulls(json_build_object("
        + ", ".join(
            f"'{period}', nullif(count(*) filter (where {{row}}.value_period = '{period}'), 0)"
            for period in _PERIODS
        )
        + ")))"
    }
    for kind, share in (("total", "1"), ("expected", "{row}.confidence / 100.0")):
        for period in (*_PERIODS, "annualized"):
            value = yearly if period == "annualized" else "{row}.value"
            only = (
                ""
                if period == "annualized"
                else f" filter (where {{row}}.value_period = '{period}')"
            )
            total = f"sum(({value}) * {share}){only}"
            name = f"{kind}_value_{period}"
            totals[name] = f"round(coalesce({total}, 0))::bigint"
            totals[f"{name}_formatted"] = _money(f"round({total})::bigint", _SYMBOL)
    return totals


_USER_NAME = (
    "(select trim(u.first_name || ' ' || u.last_name) from app_user u"
    " where u.organization_id = $1 and u.id = {row}.user_id)"
)


def _won(spelling: str, **parts: str) -> Grouping:
    """By when deals are won or expected to close; `parts` are those of the day, by name."""
    shows = {name: f"extract({part} from {{row}}.date_won)::int" for name, part in parts.items()}
    return Grouping(f"to_char({{row}}.date_won, '{spelling}')", shows)


STALLED_AFTER = timedelta(days=30)


class Opportunity(Restorable, path="opportunity", prefix="oppo"):
    """A deal with a lead: its value, how likely it is, when it should close."""

    orders = (
        "date_won",
        "date_updated",
        "date_created",
        "confidence",
        "user_name",
        "value",
        "annualized_value",
        "annualized_expected_value",
    )
    default_order = "-date_updated"
    max_limit = 250
    owned = Owned(
        ("user_id", "created_by"), "delete_own_opportunities", "manage_others_opportunities"
    )
    counted = True
    totals = _totals()
    groupings = {
        "user_id": Grouping(
            "{row}.user_id",
            {"user_id": "{row}.user_id", "user_name": _USER_NAME},
            order_by=_USER_NAME,
        ),
        "date_won__week": _won('IYYY-"W"IW', weekyear="isoyear", week="week"),
        "date_won__month": _won("YYYY-MM", year="year", month="month"),
        "date_won__quarter": _won('YYYY-"Q"Q', year="year", quarter="quarter"),
        "date_won__year": _won("YYYY", year="year"),
    }
    indexes = (
        Index(("organization_id", "date_updated desc", "id desc")),
        Index(("organization_id", "lead_id", "date_created", "id")),
    )
    list_parameters = {
        "is_stalled": "true: only those that are stalled; false: only the others.",
        "lead_query": "Only those of the leads that this query finds.",
        "organization_id": "The organization, which is that of the key.",
    }
    first = [make_lead]
    looks = [history_of_statuses, what_hangs_on_moved]
    before = [stay_in_pipeline, set_closing_dates, derive_notes, write_history, move_what_hangs]

    lead = Ref(Lead, target_deleted="delete", locks=True, filters=EQ_IN)
    lead_name = Shown(lead, Lead.display_name)
    contact = Ref(Contact, target_deleted="clear", sharing="lead_id", nullable=True, filters=EQ)
    contact_name = Shown(contact, Contact.display_name)
    status = Ref(
        OpportunityStatus,
        filters=EQ_IN,
        lookup=Lookup(
            order="pipeline_started,position",
            label="label",
            body_key="status",
            unknown="Not a valid choice.",
            within="pipeline_id",
        ),
    )
    status_label = Shown(status, OpportunityStatus.label, alias="status", filters=EQ_IN)
    status_type = Shown(status, OpportunityStatus.type, filters=EQ_IN)
    status_display_name = Shown(status, OpportunityStatus.display_name)
    original_status_id = Computed(original_status("id", *_HISTORY), shown=False)
    original_status_label = Computed(original_status("label", *_HISTORY), shown=False)
    pipeline_id = Shown(status, "pipeline_id", filters=EQ_IN)
    pipeline_name = Shown(status, OpportunityStatus.pipeline_name)
    user = Ref(
        "user",
        nullable=True,
        default=lambda actor: actor.user_id,
        filters=EQ_IN,
        doc="Who owns the deal.",
    )
    user_name = Shown(user, "name")
    value = Integer(
        nullable=True, min=0, max=10**15, doc="In hundredths of the organization's currency."
    )
    value_period = Choice(*_PERIODS, default="one_time", filters=EQ_IN)
    value_currency = Computed("{organization}.currency")
    value_formatted = Computed(
        "coalesce("
        + _money("{row}.value", "{organization}.currency_symbol", "{row}.value_period")
        + ", '')"
    )
    confidence = Integer(min=0, max=100, default=50, doc="Percent.")
    expected_value = Computed(
        "round({row}.value * {row}.confidence / 100.0)::bigint", json_type="integer", nullable=True
    )
    annualized_value = Computed(
        "{row}.value * case {row}.value_period when 'monthly' then 12 else 1 end",
        json_type="integer",
        nullable=True,
    )
    annualized_expected_value = Computed(
        "round({row}.value * case {row}.value_period when 'monthly' then 12 else 1 end"
        " * {row}.confidence / 100.0)::bigint",
        json_type="integer",
        nullable=True,
    )
    note = Text()
    note_html = RichText(nullable=True)
    attachments = ListOf(Attachment)
    # Known to the row, so that leads and lists ask nothing where nobody has commented.
    comment_thread_id = Text(
        nullable=True, shown=False, summary=Summary(("comment_thread",), "max({row}.id)")
    )
    comment_summary = Computed(
        "case when {row}.comment_thread_id is not null then "
        + comment_summary("t.id = {row}.comment_thread_id")
        + " end",
        json_type="object",
        nullable=True,
    )
    integration_links = Links()
    date_won = Date(nullable=True, filters=("eq", *RANGE), doc="Won on, or expected to close.")
    date_lost = DateTime(nullable=True, writable="never")
    is_stalled = Computed(
        "{status}.type = 'active' and greatest({row}.date_updated, {lead}.last_communication_date)"
        f" < ({{today}} - {STALLED_AFTER.days})::timestamp at time zone 'UTC'",
        json_type="boolean",
        doc="Whether it is active, and for 30 days neither it has changed nor anybody has spoken"
        " with the lead.",
    )
    stall_status = Computed(
        "null::json", json_type="object", nullable=True, doc="Deprecated; always null."
    )
    suggested_action = Computed(
        "null::json", json_type="object", nullable=True, doc="Always null: nothing is suggested."
    )
    lead_primary_email = Computed(
        first_of_contacts("emails", "{row}.lead_id"),
        json_type="object",
        nullable=True,
        optional=True,
    )
    lead_primary_phone = Computed(
        first_of_contacts("phones", "{row}.lead_id", whole=True),
        json_type="array",
        nullable=True,
        optional=True,
    )
    custom = CustomFields("opportunity_custom_field")
    created_by_name = Shown("created_by", "name")
    updated_by_name = Shown("updated_by", "name")
    date_created = DateTime(writable="create", filters=("eq", *RANGE))
    date_updated = DateTime(writable="never", filters=("eq", *RANGE))

    @classmethod
    def narrow(cls, parameters: dict[str, str], actor: Actor) -> list[Node]:
        """By whether they are stalled; raises BadRequest where a Smart View is to say the leads."""
        if parameters.get("lead_saved_search_id"):
            raise BadRequest("lead_saved_search_id: There are no Smart Views. Use lead_query.")
        nodes = of_organization(parameters, actor)
        if wanted := parameters.get("is_stalled"):
            nodes.append(Equal(cls.is_stalled, wanted.lower() != "false"))
        return nodes
