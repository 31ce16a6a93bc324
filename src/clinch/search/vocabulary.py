"""The names that queries may use, by the resource that they ask for.

Every declared field is a name; here stand the further names, those that reach into other objects,
and where a bare word is looked for.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from clinch.crm.accounts import Account
from clinch.crm.contacts import Contact
from clinch.crm.lead_statuses import LeadStatus
from clinch.crm.leads import Lead
from clinch.crm.opportunities import Opportunity
from clinch.crm.pipelines import OpportunityStatus
from clinch.crm.tasks import Task
from clinch.identity.users import User
from clinch.resources.declaration import Resource
from clinch.resources.fields import (
    Boolean,
    Children,
    Choice,
    Computed,
    ComputedTime,
    Date,
    DateTime,
    Field,
    Id,
    Integer,
    ListOf,
    Ref,
    Shown,
    Text,
)
from clinch.resources.query.tree import Fragment, Node, Or, TextMatch
from clinch.search.terms import (
    AnyOf,
    CountTerm,
    DomainTerm,
    EmailTerm,
    FlagTerm,
    IdTerm,
    LabelTerm,
    NumberTerm,
    PhoneTerm,
    Term,
    TextTerm,
    Through,
    UserTerm,
    phone_digits,
)
from clinch.search.time_terms import DayOrTimeTerm, DayTerm, TimeTerm

_NUMBER = re.compile(r"[+(\d][\d\s().\-/]*", re.ASCII)


@dataclass(frozen=True)
class Vocabulary:
    """What is asked of one resource: fields, scopes of related objects, orders and bare words."""

    resource: type[Resource]
    free: Callable[[str], Node]
    terms: dict[str, Term] = field(default_factory=dict)
    scopes: dict[str, Children | Ref] = field(default_factory=dict)
    sorts: dict[str, str] = field(default_factory=dict)


@cache
def vocabulary(noun: str) -> Vocabulary | None:
    """The vocabulary of the resource of that name; None where there is no search language."""
    make = _MAKERS.get(noun)
    return make() if make else None


def _none(declared: Field) -> Term | None:
    return None


_COMPUTED: dict[str, Callable[[Field], Term | None]] = {
    "string": TextTerm,
    "integer": NumberTerm,
    "boolean": FlagTerm,
}


def term_of(declared: Field) -> Term | None:
    """How a declared field is asked for; None for one that is not."""
    match declared:
        case Ref(target=User.noun):
            return UserTerm(declared)
        case Id() | Ref():
            return IdTerm(declared)
        case Choice():
            return LabelTerm(declared)
        case Text() | Shown():
            return TextTerm(declared)
        case Integer():
            return NumberTerm(declared)
        case Boolean():
            return FlagTerm(declared)
        case DateTime() | ComputedTime():
            return TimeTerm(declared)
        case Date():
            return DayTerm(declared)
        case Children() | ListOf():
            return CountTerm(declared)
        case Computed():
            kinds = declared.schema()["type"]
            return _COMPUTED.get(kinds[0] if isinstance(kinds, list) else kinds, _none)(declared)
    return None


def _made(
    resource: type[Resource],
    free: Callable[[str], Node],
    terms: dict[str, Term],
    scopes: dict[str, Children | Ref],
    sorts: dict[str, str],
) -> Vocabulary:
    """The vocabulary of the declared fields, and beyond or instead of them of what is given."""
    of_fields = {
        key: term
        for key, declared in resource.fields.items()
        if declared.shown and (term := term_of(declared)) is not None
    }
    orders = {key: key for key, term in of_fields.items() if not isinstance(term, CountTerm)}
    moments = {
        "created": TimeTerm(resource.fields["date_created"]),
        "updated": TimeTerm(resource.fields["date_updated"]),
        f"{resource.noun}_id": IdTerm(resource.fields["id"]),
    }
    aliases = {"created": "date_created", "updated": "date_updated"}
    return Vocabulary(resource, free, of_fields | moments | terms, scopes, orders | aliases | sorts)


def _address(item: str) -> Term:
    return TextTerm(Lead.addresses, item)


_ACCOUNT_NAME = TextTerm(Account.name, found_by=Account.id)
_LEAD_NAME = TextTerm(Lead.name, found_by=Lead.id)
_LEAD_STATUS = AnyOf((Through(Lead.status, LabelTerm(LeadStatus.label)), IdTerm(Lead.status)))
_CONTACT_NAME = TextTerm(Contact.name, found_by=Contact.id)
_EMAIL = EmailTerm(Contact.emails, "email", Contact.id)
_PHONE = PhoneTerm(Contact.phones, "phone", Contact.id)
_DEAL_STATUS_TYPE = Through(Opportunity.status, LabelTerm(OpportunityStatus.type))
_DEAL_STATUS = AnyOf(
    (
        Through(Opportunity.status, LabelTerm(OpportunityStatus.label)),
        _DEAL_STATUS_TYPE,
        IdTerm(Opportunity.status),
    )
)
_TASK_DATE = DayOrTimeTerm(Task.date, Task.date_only)
_REACHED: dict[str, Term] = {
    "email": _EMAIL,
    "email_address": _EMAIL,
    "phone": _PHONE,
    "phone_number": _PHONE,
}


def _of_lead(link: Ref) -> dict[str, Term]:
    """The names by which an object that belongs to a lead is asked for by the lead."""
    name = Through(link, _LEAD_NAME)
    status = Through(link, _LEAD_STATUS)
    return {"lead": name, "lead_name": name, "company": name, "lead_status": status}


def _lead() -> Vocabulary:
    deal = Lead.opportunities
    of_contacts: dict[str, Term] = {
        **_REACHED,
        "contact": _CONTACT_NAME,
        "contact_name": _CONTACT_NAME,
        "contact_id": IdTerm(Contact.id),
        "title": TextTerm(Contact.title),
    }
    of_deals: dict[str, Term] = {
        "opportunity_status": _DEAL_STATUS,
        "opportunity_status_type": _DEAL_STATUS_TYPE,
        "opportunity_user": UserTerm(Opportunity.user),
        "opportunity_value": NumberTerm(Opportunity.value),
        "value": NumberTerm(Opportunity.value),
    }
    owner = Through(deal, UserTerm(Opportunity.user))
    terms: dict[str, Term] = {
        **dict.fromkeys(("name", "company", "display_name"), _LEAD_NAME),
        **dict.fromkeys(("status", "lead_status", "status_label"), _LEAD_STATUS),
        **{name: Through(Lead.contacts, term) for name, term in of_contacts.items()},
        **{name: Through(deal, term) for name, term in of_deals.items()},
        "user": AnyOf((owner, Through(Lead.tasks, UserTerm(Task.assigned_to)))),
        "account": Through(Lead.account, _ACCOUNT_NAME),
        "city": _address("city"),
        "state": _address("state"),
        **dict.fromkeys(("zip", "zipcode"), _address("zipcode")),
        "country": _address("country"),
    }
    scopes: dict[str, Children | Ref] = {
        **dict.fromkeys(("contact", "contacts"), Lead.contacts),
        **dict.fromkeys(("opportunity", "opportunities"), deal),
        **dict.fromkeys(("task", "tasks"), Lead.tasks),
        "account": Lead.account,
    }
    sorts = {"company": "name", "status": "status_label", "lead_status": "status_label"}
    return _made(Lead, lambda word: _found(word, (Lead.id, "lead")), terms, scopes, sorts)


def _contact() -> Vocabulary:
    terms: dict[str, Term] = {
        **_of_lead(Contact.lead),
        **_REACHED,
        **dict.fromkeys(("name", "display_name"), _CONTACT_NAME),
        "url": TextTerm(Contact.urls, "url"),
    }

    def free(word: str) -> Node:
        return _found(word, (Contact.id, "object"), (Contact.lead, "object"))

    return _made(Contact, free, terms, {"lead": Contact.lead}, {})


def _opportunity() -> Vocabulary:
    contact = Through(Opportunity.contact, _CONTACT_NAME)
    terms: dict[str, Term] = {
        **_of_lead(Opportunity.lead),
        **dict.fromkeys(("status", "status_label"), _DEAL_STATUS),
        **{
            declared.key: LabelTerm(declared)
            for declared in (
                Opportunity.status_display_name,
                Opportunity.pipeline_id,
                Opportunity.pipeline_name,
            )
        },
        "status_type": _DEAL_STATUS_TYPE,
        "pipeline": AnyOf((LabelTerm(Opportunity.pipeline_name), IdTerm(Opportunity.pipeline_id))),
        **dict.fromkeys(("contact", "contact_name"), contact),
        **dict.fromkeys(("user_name", "owner"), UserTerm(Opportunity.user)),
        **dict.fromkeys(("user", "user_id"), UserTerm(Opportunity.user)),
    }

    def free(word: str) -> Node:
        named = _found(word, (Opportunity.lead, "object"))
        return Or((named, TextMatch(Opportunity.note, "contains", word)))

    scopes: dict[str, Children | Ref] = {"lead": Opportunity.lead, "contact": Opportunity.contact}
    sorts = {"status": "status_label", "user": "user_name"}
    return _made(Opportunity, free, terms, scopes, sorts)


def _task() -> Vocabulary:
    terms: dict[str, Term] = {
        **_of_lead(Task.lead),
        **dict.fromkeys(("date", "due", "due_date"), _TASK_DATE),
        **dict.fromkeys(("complete", "completed"), FlagTerm(Task.is_complete)),
        **dict.fromkeys(("user", "assignee"), UserTerm(Task.assigned_to)),
        **dict.fromkeys(("type", "_type"), LabelTerm(Task.type)),
        **dict.fromkeys(("contact", "contact_name"), Through(Task.contact, _CONTACT_NAME)),
        "view": LabelTerm(Task.view),
    }

    def free(word: str) -> Node:
        named = _found(word, (Task.lead, "object"))
        return Or((named, TextMatch(Task.text, "contains", word)))

    scopes: dict[str, Children | Ref] = {"lead": Task.lead, "contact": Task.contact}
    sorts = {"due": "date", "due_date": "date", "user": "assigned_to_name"}
    return _made(Task, free, terms, scopes, sorts)


def _account() -> Vocabulary:
    terms: dict[str, Term] = {
        **dict.fromkeys(("name", "company"), _ACCOUNT_NAME),
        **dict.fromkeys(("domain", "domains"), DomainTerm()),
        **dict.fromkeys(("owner", "user"), UserTerm(Account.owner)),
        "parent": Through(Account.parent, _ACCOUNT_NAME),
    }

    def free(word: str) -> Node:
        return _found(word, (Account.id, "object"))

    return _made(Account, free, terms, {"parent": Account.parent}, {"owner": "owner_name"})


_MAKERS = {
    "lead": _lead,
    "contact": _contact,
    "opportunity": _opportunity,
    "task": _task,
    "account": _account,
}


def _found(word: str, *places: tuple[Field, Literal["lead", "object"]]) -> Node:
    """A word in the search texts; a number also as the digits that are kept of phones."""
    digits = phone_digits(word) if _NUMBER.fullmatch(word) else ""
    spellings = [word, *([digits] if len(digits) >= 3 and digits != word else [])]
    nodes = tuple(
        Fragment(declared, (spelling,), of) for declared, of in places for spelling in spellings
    )
    return nodes[0] if len(nodes) == 1 else Or(nodes)
