"""Accounts: the companies above leads. Only this server has them."""

from clinch.gateway.actions.action import Words
from clinch.gateway.actions.inputs import Text, Texts
from clinch.gateway.actions.lists import listing
from clinch.gateway.actions.objects import creating, getting, id_of
from clinch.gateway.actions.records import LIST, NUMBER, TEXT, Shape
from clinch.gateway.actions.references import IdOf, UserRef, custom_values

PATH = "/account/"
_EXAMPLE = "acct_9kXw2RjzTnVYxHdPsUmFAF"

ACCOUNT = Shape(
    noun="account",
    short={
        "id": TEXT,
        "name": TEXT,
        "domains": LIST,
        "parent_id": TEXT,
        "owner_id": TEXT,
        "owner_name": TEXT,
        "num_leads": NUMBER,
        "num_active_opportunities": NUMBER,
        "date_created": TEXT,
        "date_updated": TEXT,
    },
    custom=True,
)


def _parent(doc: str) -> IdOf:
    return IdOf(
        name="parentId",
        api="parent_id",
        also=("parent",),
        noun="account",
        prefix="acct",
        path=PATH,
        doc=doc,
    )


def _owner(doc: str) -> UserRef:
    return UserRef(
        name="userId",
        api="owner_id",
        also=("owner",),
        doc=f'{doc}: "me", an id, an email address or a full name.',
    )


LIST_ACCOUNTS = listing(
    Words(
        "list-accounts",
        "List accounts",
        "List accounts, the companies above leads, with optional filtering by name, domain,"
        " parent, or owner.",
        ({}, {"domain": "harbour.example"}),
    ),
    ACCOUNT,
    PATH,
    (
        Text(name="name", min=1, max=500, doc="Only those with this whole name, in any case."),
        Text(name="domain", min=1, max=300, doc="Only those with this domain name."),
        _parent("Only those right below this account."),
        _owner("Only those that this user takes care of"),
    ),
)
GET_ACCOUNT = getting(
    Words("get-account", "Get an account", "Get one account by its id.", ({"id": _EXAMPLE},)),
    ACCOUNT,
    id_of("account", "acct", PATH),
)
CREATE_ACCOUNT = creating(
    Words(
        "create-account",
        "Create an account",
        "Create an account: a company that has leads below it.",
        ({"name": "Harbour Group", "domains": ["harbour-group.example"]},),
    ),
    ACCOUNT,
    PATH,
    (
        Text(name="name", min=1, max=500, required=True, doc="The company's name."),
        Texts(name="domains", also=("domain",), doc="Its domain names."),
        _parent("The company above it."),
        _owner("Who takes care of it"),
        custom_values("account"),
    ),
)
