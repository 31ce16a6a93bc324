"""The names that queries may use, by the resource that they ask for.

Every declared field is a name; here stand the further names, those that reach into other objects,
and where a bare word is looked for. What is asked of activities is in `activity_terms`.
"""

import re
from functools import cache
from typing import Literal

from clinch.crm.accounts import Account
from clinch.crm.activities.activity import Activity
from clinch.crm.contacts import Contact
from clinch.crm.lead_statuses import LeadStatus
from clinch.crm.leads import Lead
from clinch.crm.opportunities import Opportunity
from clinch.crm.pipelines import OpportunityStatus
from clinch.crm.tasks import Task
from clinch.resources.declaration import Resource
from clinch.resources.fields import Field, Ref
from clinch.resources.query.tree import Fragment, Node, Or, TextMatch
from clinch.search.activity_terms import (
    activity_counts,
    activity_dates,
    activity_scopes,
    found_in_texts,
    own_terms,
)
from clinch.search.declared_terms import Scopes, Vocabulary, made
from clinch.search.terms import (
    AnyOf,
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
from clinch.search.time_terms import DayOrTimeTerm

_NUMBER = re.compile(r"[+(\d][\d\s().\-/]*", re.ASCII)


def vocabulary(noun: str) -> Vocabulary | None:
    """The vocabulary of the resource of that name; None where nothing can be asked of it."""
    return _vocabulary(noun, tuple(Activity.variants))


@cache
def _vocabulary(noun: str, types: tuple[str, ...]) -> Vocabulary | None:
    """The same, while `types` are the types of activities that are declared."""
    make = _MAKERS.get(noun)
    if make is not None:
        return make()
    variants = (variant for variant in Activity.variants.values() if variant.noun == noun)
    return next(map(_activity, variants), None)


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
_ORIGINAL_LEAD_STATUS = AnyOf(
    (LabelTerm(Lead.original_status_label), IdTerm(Lead.original_status_id))
)
_ORIGINAL_DEAL_STATUS = AnyOf(
    (LabelTerm(Opportunity.original_status_label), IdTerm(Opportunity.original_status_id))
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
        **activity_counts(Lead),
        **activity_dates(Lead),
        **dict.fromkeys(("name", "company", "display_name"), _LEAD_NAME),
        **dict.fromkeys(("status", "lead_status", "status_label"), _LEAD_STATUS),
        "original_lead_status": _ORIGINAL_LEAD_STATUS,
        **{name: Through(Lead.contacts, term) for name, term in of_contacts.items()},
        **{name: Through(deal, term) for name, term in of_deals.items()},
        "user": AnyOf((owner, Through(Lead.tasks, UserTerm(Task.assigned_to)))),
        "account": Through(Lead.account, _ACCOUNT_NAME),
        "city": _address("city"),
        "state": _address("state"),
        **dict.fromkeys(("zip", "zipcode"), _address("zipcode")),
        "country": _address("country"),
    }
    scopes: Scopes = {
        **activity_scopes(Lead),
        **dict.fromkeys(("contact", "contacts"), (Lead.contacts,)),
        **dict.fromkeys(("opportunity", "opportunities"), (deal,)),
        **dict.fromkeys(("task", "tasks"), (Lead.tasks,)),
        "account": (Lead.account,),
    }
    sorts = {
        "company": "name",
        "status": "status_label",
        "lead_status": "status_label",
        "value": "active_opportunity_value",
        "activities": "num_activities",
    }
    return made(Lead, lambda word: _found(word, (Lead.id, "lead")), terms, scopes, sorts)


def _contact() -> Vocabulary:
    terms: dict[str, Term] = {
        **activity_counts(Contact),
        **_of_lead(Contact.lead),
        **_REACHED,
        **dict.fromkeys(("name", "display_name"), _CONTACT_NAME),
        "url": TextTerm(Contact.urls, "url"),
    }

    def free(word: str) -> Node:
        return _found(word, (Contact.id, "object"), (Contact.lead, "object"))

    scopes: Scopes = activity_scopes(Contact) | {"lead": (Contact.lead,)}
    return made(Contact, free, terms, scopes, {})


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
        "original_status": _ORIGINAL_DEAL_STATUS,
        "pipeline": AnyOf((LabelTerm(Opportunity.pipeline_name), IdTerm(Opportunity.pipeline_id))),
        **dict.fromkeys(("contact", "contact_name"), contact),
        **dict.fromkeys(("user_name", "owner"), UserTerm(Opportunity.user)),
        **dict.fromkeys(("user", "user_id"), UserTerm(Opportunity.user)),
    }

    def free(word: str) -> Node:
        named = _found(word, (Opportunity.lead, "object"))
        return Or((named, TextMatch(Opportunity.note, "contains", word)))

    scopes: Scopes = {
        **activity_scopes(Opportunity),
        "lead": (Opportunity.lead,),
        "contact": (Opportunity.contact,),
    }
    sorts = {"status": "status_label", "user": "user_name"}
    return made(Opportunity, free, terms, scopes, sorts)


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

    scopes: Scopes = {"lead": (Task.lead,), "contact": (Task.contact,)}
    sorts = {"due": "date", "due_date": "date", "user": "assigned_to_name"}
    return made(Task, free, terms, scopes, sorts)


def _activity(variant: type[Resource]) -> Vocabulary:
    links = {ref.target: ref for ref in variant.refs if ref.target in _MAKERS}
    terms: dict[str, Term] = {
        **_of_lead(links["lead"]),
        **dict.fromkeys(("contact", "contact_name"), Through(links["contact"], _CONTACT_NAME)),
        **own_terms(variant),
    }
    scopes: Scopes = {target: (ref,) for target, ref in links.items()}
    return made(variant, lambda word: found_in_texts(variant, word), terms, scopes, {})


def _account() -> Vocabulary:
    terms: dict[str, Term] = {
        **dict.fromkeys(("name", "company"), _ACCOUNT_NAME),
        **dict.fromkeys(("domain", "domains"), DomainTerm()),
        **dict.fromkeys(("owner", "user"), UserTerm(Account.owner)),
        "parent": Through(Account.parent, _ACCOUNT_NAME),
    }

    def free(word: str) -> Node:
        return _found(word, (Account.id, "object"))

    return made(Account, free, terms, {"parent": (Account.parent,)}, {"owner": "owner_name"})


_MAKERS = {
    "lead": _lead,
    "contact": _contact,
    "opportunity": _opportunity,
    "task": _task,
    "account": _account,
}


SEARCHABLE = frozenset(_MAKERS)
"""The resources whose lists take a query."""


def _found(word: str, *places: tuple[Field, Literal["lead", "object"]]) -> Node:
    """A word in the search texts; a number also as the digits that are kept of phones."""
    digits = phone_digits(word) if _NUMBER.fullmatch(word) else ""
    spellings = [word, *([digits] if len(digits) >= 3 and digits != word else [])]
    nodes = tuple(
        Fragment(declared, (spelling,), of) for declared, of in places for spelling in spellings
    )
    return nodes[0] if len(nodes) == 1 else Or(nodes)
