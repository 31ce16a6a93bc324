"""Leads: the companies that the organization sells to."""

from collections.abc import Iterable
from typing import Any

from clinch.crm.activities.activity import CREATION_SOURCES
from clinch.crm.activities.created import Created
from clinch.crm.activities.status_changes import (
    LeadStatusChange,
    original_status,
    tell,
    what_tells,
)
from clinch.crm.addresses import Address
from clinch.crm.at_a_glance import (
    CONTACTS,
    LOCAL_TIME,
    PRIMARY_ADDRESS,
    first_of_contacts,
    recent_calls,
)
from clinch.crm.lead_merging import complete_heirs, contacts_of_heirs, tell_merges
from clinch.crm.lead_statuses import LeadStatus
from clinch.db.schema import Index
from clinch.resources.actor import Actor
from clinch.resources.custom_fields import CustomFields, Sent
from clinch.resources.declaration import Restorable
from clinch.resources.fields import (
    EQ_IN,
    ChildIds,
    Children,
    Computed,
    ComputedTime,
    DateTime,
    Integer,
    ListOf,
    Lookup,
    Ref,
    Shown,
    Summary,
    Text,
    Url,
)
from clinch.resources.links import Links
from clinch.resources.query.tree import Assigned, Node
from clinch.resources.write.change import Change
from clinch.resources.write.load import Load
from clinch.resources.write.work import Work

# Answered when asked for by name.
_SUMMED: dict[str, Any] = {"optional": True, "writable": "never"}

_INBOUND, _OUTBOUND = "{row}.direction = 'inbound'", "{row}.direction = 'outbound'"

_HISTORY = LeadStatusChange, LeadStatusChange.lead

_COUNTED = ("num_notes", "num_calls", "num_meetings", "num_emails", "num_sms")

_COMMUNICATION = ("call", "email", "sms", "whatsapp_message")

# Drafts, and what could not be sent, have reached nobody.
_REACHED = "coalesce({row}.status, '') not in ('draft', 'error')"
_INCOMING = f"{_REACHED} and {{row}}.direction = 'incoming'"
_OUTGOING = f"{_REACHED} and {{row}}.direction = 'outgoing'"
_RECEIVED, _SENT = f"{_REACHED} and {_INBOUND}", f"{_REACHED} and {_OUTBOUND}"


def _count(noun: str, where: str = "true") -> Summary:
    return Summary((noun,), "count(*)", where)


def _last(noun: str, where: str = "true") -> Summary:
    return Summary((noun,), "max({row}.activity_at)", where)


def _is(type: str) -> str:
    """That an opportunity is active, won or lost."""
    return (
        "(select s.type from opportunity_status s where s.organization_id = $1"
        f" and s.id = {{row}}.status_id) = '{type}'"
    )


def _value(type: str) -> Summary:
    """What the opportunities bring in a year or once, in cents."""
    value = "{row}.value * case {row}.value_period when 'monthly' then 12 else 1 end"
    return Summary(("opportunity",), f"sum({value})", _is(type))


def _of_meetings(value: str, starting: str) -> str:
    """What the meetings say that start before or after the moment of reading, and are not called
    off."""
    return (
        f"(select {value} from activity a where a.organization_id = {{org}}"
        f" and a.lead_id = {{row}}.id and a._type = 'Meeting' and a.status is null"
        f" and a.activity_at {starting})"
    )


def history_of_statuses(work: Work, changes: list[Change]) -> Iterable[Load]:
    """What a change of status is told from: the statuses that leads had, and the last entries."""
    yield from what_tells(work, LeadStatusChange, LeadStatusChange.lead, changes)


def write_history(work: Work, changes: list[Change]) -> None:
    """The history of a lead begins with its making and has its changes of status."""
    for change in changes:
        if change.kind == "create":
            first = {
                "lead_id": change.id,
                "user_id": change.get(Lead.created_by),
                "created_by": change.get(Lead.created_by),
                "date_created": change.get(Lead.date_created),
                "source": work.source if work.source in CREATION_SOURCES else None,
            }
            work.create(Created, first)
        elif change.kind == "update" and change.moved(Lead.status):
            tell(work, LeadStatusChange, LeadStatusChange.lead, change, {})


def keep_in_sight(work: Work, changes: list[Change]) -> None:
    """Who sees only what they are assigned to is assigned to the leads that they make, unless they
    name somebody else."""
    visibility = work.actor.visibility
    if visibility is None or visibility.unassigned:
        return
    for change in changes:
        if change.kind == "create":
            [first, *_] = visibility.fields
            change.custom.insert(0, Sent(f"custom.{first}", first, "set", work.actor.user_id))


class Lead(Restorable, path="lead", prefix="lead"):
    """A company or other party, with everything that belongs to it below."""

    needs = {"delete": "delete_leads", "merge": "merge_leads"}
    orders = ("date_created", "date_updated")
    default_order = "-date_updated"
    indexes = (
        Index(("organization_id", "date_updated desc", "id desc")),
        Index(("organization_id", "date_created desc", "id desc")),
        Index(("custom jsonb_path_ops",), method="gin"),
        Index(("organization_id", "account_id"), where="(account_id IS NOT NULL)"),
    )
    counted = True
    first = [keep_in_sight]
    search_lead = "id"
    looks = [history_of_statuses, contacts_of_heirs]
    before = [complete_heirs, write_history, tell_merges]

    name = Text(max=1000, doc="The company's name.")
    display_name = Computed(
        "coalesce(nullif({row}.name, ''), (select coalesce(nullif(c.name, ''),"
        " c.emails -> 0 ->> 'email', c.phones -> 0 ->> 'phone') from contact c"
        " where c.organization_id = {org} and c.lead_id = {row}.id"
        " order by c.date_created, c.id limit 1), 'Untitled')",
        once=True,
        doc="The name, else that of the first contact.",
    )
    account = Ref(
        "account",
        nullable=True,
        target_deleted="clear",
        filters=EQ_IN,
        doc="The company above it.",
    )
    description = Text()
    url = Url()
    html_url = Computed("{public_url} || '/lead/' || {row}.id || '/'", doc="The lead's page.")
    status = Ref(
        LeadStatus,
        lookup=Lookup(
            label="label",
            body_key="status",
            order="position",
            unknown="Not a valid choice. Please go to Customizations in your organization settings"
            ' and add "{label}" to the list of lead statuses.',
        ),
    )
    status_label = Shown(status, LeadStatus.label)
    addresses = ListOf(Address)
    contacts = Children("contact", by="lead_id", order="date_created")
    contact_ids = ChildIds(contacts)
    opportunities = Children("opportunity", by="lead_id", order="date_created", writable="never")
    tasks = Children(
        "task",
        by="lead_id",
        order="date_created",
        only="not {row}.is_complete",
        writable="never",
        doc="What is still to do.",
    )
    integration_links = Links()
    primary_email = Computed(
        first_of_contacts("emails"), json_type="object", nullable=True, optional=True
    )
    primary_phone = Computed(
        first_of_contacts("phones"), json_type="object", nullable=True, optional=True
    )
    contacts_summary = Computed(CONTACTS, optional=True)
    primary_address_summary = Computed(PRIMARY_ADDRESS, nullable=True, optional=True)
    localtime = Computed(
        LOCAL_TIME, nullable=True, optional=True, doc="What the clock says at the first address."
    )
    recent_calls = Computed(recent_calls("a.lead_id = {row}.id"), json_type="array", optional=True)
    written_summaries = Computed(
        "'[]'::json", key="summaries", json_type="array", optional=True, doc="Always empty."
    )
    source = Computed("null::text", nullable=True, optional=True, doc="Always null.")
    custom = CustomFields("lead_custom_field")
    num_notes = Integer(summary=_count("note"), **_SUMMED)
    num_calls = Integer(summary=_count("call"), **_SUMMED)
    num_incoming_calls = Integer(summary=_count("call", _INBOUND), **_SUMMED)
    num_outgoing_calls = Integer(summary=_count("call", _OUTBOUND), **_SUMMED)
    last_note_date = DateTime(nullable=True, summary=_last("note"), **_SUMMED)
    last_call_date = DateTime(nullable=True, summary=_last("call"), **_SUMMED)
    last_incoming_call_date = DateTime(nullable=True, summary=_last("call", _INBOUND), **_SUMMED)
    last_outgoing_call_date = DateTime(nullable=True, summary=_last("call", _OUTBOUND), **_SUMMED)
    num_meetings = Integer(summary=_count("meeting"), **_SUMMED)
    num_upcoming_meetings = Computed(
        _of_meetings("count(*)", "> {now}"), json_type="integer", optional=True
    )
    last_meeting_date = ComputedTime(
        _of_meetings("max(a.activity_at)", "<= {now}"), nullable=True, optional=True
    )
    next_meeting_date = ComputedTime(
        _of_meetings("min(a.activity_at)", "> {now}"), nullable=True, optional=True
    )
    num_emails = Integer(summary=_count("email", _REACHED), **_SUMMED)
    num_received_emails = Integer(summary=_count("email", _INCOMING), **_SUMMED)
    num_sent_emails = Integer(summary=_count("email", _OUTGOING), **_SUMMED)
    last_email_date = DateTime(nullable=True, summary=_last("email", _REACHED), **_SUMMED)
    last_incoming_email_date = DateTime(nullable=True, summary=_last("email", _INCOMING), **_SUMMED)
    last_outgoing_email_date = DateTime(nullable=True, summary=_last("email", _OUTGOING), **_SUMMED)
    num_sms = Integer(summary=_count("sms", _REACHED), **_SUMMED)
    num_received_sms = Integer(summary=_count("sms", _RECEIVED), **_SUMMED)
    num_sent_sms = Integer(summary=_count("sms", _SENT), **_SUMMED)
    last_sms_date = DateTime(nullable=True, summary=_last("sms", _REACHED), **_SUMMED)
    last_incoming_sms_date = DateTime(nullable=True, summary=_last("sms", _RECEIVED), **_SUMMED)
    last_outgoing_sms_date = DateTime(nullable=True, summary=_last("sms", _SENT), **_SUMMED)
    last_communication_date = DateTime(
        nullable=True,
        summary=Summary(_COMMUNICATION, "max({row}.activity_at)", _REACHED),
        **_SUMMED,
    )
    last_lead_status_change_date = DateTime(
        nullable=True, summary=_last("lead_status_change"), **_SUMMED
    )
    num_activities = Computed(
        " + ".join(f"{{row}}.{counted}" for counted in _COUNTED),
        json_type="integer",
        shown=False,
    )
    original_status_id = Computed(original_status("id", *_HISTORY), shown=False)
    original_status_label = Computed(original_status("label", *_HISTORY), shown=False)
    num_opportunities = Integer(summary=_count("opportunity"), **_SUMMED)
    num_active_opportunities = Integer(summary=_count("opportunity", _is("active")), **_SUMMED)
    num_won_opportunities = Integer(summary=_count("opportunity", _is("won")), **_SUMMED)
    num_lost_opportunities = Integer(summary=_count("opportunity", _is("lost")), **_SUMMED)
    active_opportunity_value = Integer(summary=_value("active"), **_SUMMED)
    won_opportunity_value = Integer(summary=_value("won"), **_SUMMED)
    num_tasks = Integer(summary=_count("task", "not {row}.is_complete"), **_SUMMED)
    next_task_date = DateTime(
        nullable=True,
        summary=Summary(("task",), "min({row}.date)", "not {row}.is_complete"),
        **_SUMMED,
    )
    created_by_name = Shown("created_by", "name")
    updated_by_name = Shown("updated_by", "name")

    @classmethod
    def visible(cls, actor: Actor) -> Node | None:
        """Who does not see every lead sees those that custom fields assign to them."""
        return Assigned(cls.custom) if actor.visibility is not None else None

    @classmethod
    def search_texts(cls, row: dict[str, Any]) -> Iterable[str]:
        yield row["name"]
        yield row["url"] or ""


def merge_leads(source: str, destination: str) -> list[Change]:
    """The changes by which a lead, by its id, comes into another with all that belongs to it."""
    return [Change.delete(Lead, source, heir=destination), Change.update(Lead, destination, {})]
