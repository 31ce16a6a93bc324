"""Who may do what: revoked keys, changed roles, grants, and organizations kept apart."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import asyncpg
import pytest
from harness import TEST, Api, Organization, Program, make_organization, operations, rows_of

from clinch.crm.contacts import Contact
from clinch.crm.lead_statuses import LeadStatus
from clinch.crm.leads import Lead
from clinch.db.schema import Table
from clinch.identity.users import Membership
from clinch.program import declarations, tables
from clinch.resources.actor import Actor, OperationClass
from clinch.resources.errors import Forbidden
from clinch.resources.query.read import Page
from clinch.resources.write.change import Change

UNAUTHORIZED = {"error": "Unauthorized"}
TENANT_TABLES = [table for table in tables(declarations()) if table.table_class == "tenant"]
ROUTES = operations()


def write(organization: Organization, *changes: Change, actor: Actor | None = None) -> None:
    """Carry out changes as the organization's system, or as another actor of it."""
    program = organization.program
    program.run(program.store.write(actor or organization.system, list(changes), TEST))


def membership_of(organization: Organization, api: Api) -> str:
    people = organization.admin.get(f"/organization/{organization.system.organization}/")
    [id] = [m["id"] for m in people["memberships"] if m["user_id"] == api.user_id]
    return str(id)


def key_id(api: Api) -> str:
    return api.key.partition(".")[0]


# Keys and members that end


def test_a_revoked_key_is_refused_on_the_very_next_request(organization: Organization) -> None:
    api = organization.member("user")
    lead = api.post("/lead/", {"name": "Harbour Tools"})
    organization.admin.delete(f"/api_key/{key_id(api)}/")
    before = rows_of(organization)
    for method, path, body in (
        ("GET", "/me/", None),
        ("GET", "/lead/", None),
        ("PUT", f"/lead/{lead['id']}/", {"name": "x"}),
        ("POST", "/lead/", {"name": "x"}),
        ("DELETE", f"/lead/{lead['id']}/", None),
    ):
        answer = api(method, path, body)
        assert (answer.status_code, answer.json()) == (401, UNAUTHORIZED)
        assert answer.headers["www-authenticate"] == 'Basic realm="API key"'
    assert rows_of(organization) == before


@pytest.mark.parametrize(
    "path",
    [
        "/lead/{}/",
        "/lead/lead_none/",
        "/lead/{}/?_fields=id",
        "/lead/",
        "/lead/?_limit=0",
        "/lead/?_skip=100",
        "/lead/?id__in=,",
        "/lead/?query=nobody",
        "/opportunity/?_group_by=user_id",
        "/user/",
    ],
)
def test_nothing_that_is_read_leaves_a_revoked_key_unnoticed(
    organization: Organization, path: str
) -> None:
    api = organization.member("user")
    lead = api.post("/lead/", {"name": "Harbour Tools"})
    path = path.format(lead["id"])
    known = api("GET", path).status_code
    assert known == (404 if "none" in path else 200)
    organization.admin.delete(f"/api_key/{key_id(api)}/")
    # The transaction of another reader may be at hand.
    assert organization.admin("GET", path).status_code == known
    answer = api("GET", path)
    assert (answer.status_code, answer.json()) == (401, UNAUTHORIZED)


def test_a_key_may_revoke_itself(organization: Organization) -> None:
    api = organization.member("admin")
    api.delete(f"/api_key/{key_id(api)}/")
    assert api("GET", "/me/").status_code == 401
    assert organization.admin("GET", "/me/").status_code == 200


@pytest.mark.parametrize("first", [("GET", "/lead/"), ("POST", "/lead/"), ("GET", "/me/")])
def test_a_deactivated_member_is_refused_on_the_very_next_request(
    organization: Organization, first: tuple[str, str]
) -> None:
    api = organization.member("user")
    assert api("GET", "/lead/").status_code == 200
    membership = membership_of(organization, api)
    write(organization, Change.update(Membership, membership, {"active": False}, trusted=True))
    before = rows_of(organization)
    method, path = first
    for _ in range(2):
        answer = api(method, path, {} if method == "POST" else None)
        assert (answer.status_code, answer.json()) == (401, UNAUTHORIZED)
    assert rows_of(organization) == before
    assert organization.admin.get(f"/user/{api.user_id}/")["organizations"] == []


def test_a_member_who_is_back_may_work_again(organization: Organization) -> None:
    api = organization.member("user")
    membership = membership_of(organization, api)
    write(organization, Change.update(Membership, membership, {"active": False}, trusted=True))
    assert api("GET", "/me/").status_code == 401
    write(organization, Change.update(Membership, membership, {"active": True}, trusted=True))
    assert api("GET", "/me/").status_code == 200


def test_a_changed_role_takes_effect_on_the_next_request(organization: Organization) -> None:
    api, admin = organization.member("user"), organization.admin
    status = {"label": "New word"}
    assert api("POST", "/status/lead/", status).status_code == 403
    membership = membership_of(organization, api)
    admin.put(f"/membership/{membership}/", {"role_id": "superuser"})
    assert api("POST", "/status/lead/", status).status_code == 200
    admin.put(f"/membership/{membership}/", {"role_id": "restricteduser"})
    assert api("POST", "/status/lead/", {"label": "Another"}).status_code == 403
    lead = api.post("/lead/", {})
    assert api("DELETE", f"/lead/{lead['id']}/").status_code == 403


def test_a_changed_country_is_that_of_the_next_request(organization: Organization) -> None:
    api, admin = organization.member("user"), organization.admin

    def written(number: str) -> Any:
        return api.post("/contact/", {"phones": [{"phone": number}]})["phones"][0]["phone"]

    assert written("0131 555 0100") != "+441315550100"
    admin.put(f"/organization/{organization.system.organization}/", {"country": "GB"})
    assert written("0131 555 0100") == "+441315550100"


# Grants and roles


READ, WRITE = OperationClass.READ, OperationClass.WRITE


def refused(organization: Organization, change: Change, actor: Actor, text: str) -> None:
    before = rows_of(organization)
    with pytest.raises(Forbidden) as refusal:
        write(organization, change, actor=actor)
    assert (refusal.value.status, refusal.value.body) == (403, {"error": text})
    assert rows_of(organization) == before


def test_a_grant_without_destruction_does_not_delete(organization: Organization) -> None:
    lead = organization.admin.post("/lead/", {"name": "Harbour Tools"})
    actor = organization.actor(grant=frozenset({READ, WRITE}))
    text = "This grant does not allow destructive operations."
    refused(organization, Change.delete(Lead, lead["id"]), actor, text)
    write(organization, Change.update(Lead, lead["id"], {"name": "North Foods"}), actor=actor)
    assert organization.admin.get(f"/lead/{lead['id']}/")["name"] == "North Foods"


def test_a_grant_to_read_does_not_write(organization: Organization) -> None:
    lead = organization.admin.post("/lead/", {"name": "Harbour Tools"})
    actor = organization.actor(grant=frozenset({READ}))
    text = "This grant does not allow write operations."
    refused(organization, Change.create(Lead, {"name": "x"}), actor, text)
    refused(organization, Change.update(Lead, lead["id"], {"name": "x"}), actor, text)
    store = organization.program.store

    async def read() -> bytes:
        async with store.reading(actor) as transaction:
            return await store.reads.page(transaction, actor, Lead, Page())

    assert lead["id"].encode() in organization.program.run(read())


def test_a_list_of_changes_is_refused_for_the_one_that_is_not_allowed(
    organization: Organization,
) -> None:
    lead = organization.admin.post("/lead/", {"name": "Harbour Tools"})
    actor = organization.actor(grant=frozenset({READ, WRITE}))
    before = rows_of(organization)
    changes = [Change.create(Contact, {"name": "Ada"}), Change.delete(Lead, lead["id"])]
    with pytest.raises(Forbidden):
        write(organization, *changes, actor=actor)
    assert rows_of(organization) == before


def test_a_role_without_a_permission_is_refused_in_the_store_too(
    organization: Organization,
) -> None:
    actor = organization.actor(permissions=frozenset({"calling"}))
    text = "You need the permission manage_customizations to do this."
    refused(organization, Change.create(LeadStatus, {"label": "x"}), actor, text)


def objects(organization: Organization) -> dict[str, str]:
    """The ids of an organization's objects, by the first segments of their path."""
    lead = organization.admin.post(
        "/lead/", {"name": "Secret harbour", "contacts": [{"name": "Secret Ada"}]}
    )
    deal = organization.admin.post("/opportunity/", {"lead_id": lead["id"], "note": "Secret deal"})
    invited = organization.admin.post("/invitation/", {"email": "secret@harbour.example"})
    task = organization.admin.post("/task/", {"lead_id": lead["id"], "text": "Secret task"})
    role = organization.admin.post(
        "/role/", {"name": "Secret role", "permissions": ["view_all_leads"]}
    )
    group = organization.admin.post("/group/", {"name": "Secret group"})
    body = {"object_id": deal["id"], "body": "Secret comment"}
    comment = organization.admin.post("/comment/", body)
    account = organization.admin.post("/account/", {"name": "Secret account"})
    body = {"name": "Secret link", "type": "lead", "url": "https://secret.example"}
    link = organization.admin.post("/integration_link/", body)
    return {
        **customizations(organization.admin, lead["id"]),
        "opportunity": deal["id"],
        "task": task["id"],
        "invitation": invited["id"],
        "status/opportunity": deal["status_id"],
        "pipeline": organization.admin.get("/pipeline/")["data"][0]["id"],
        "lead": lead["id"],
        "contact": lead["contact_ids"][0],
        "status/lead": lead["status_id"],
        "user": organization.admin.user_id,
        "membership": membership_of(organization, organization.admin),
        "organization": organization.system.organization,
        "api_key": key_id(organization.admin),
        "role": role["id"],
        "group": group["id"],
        "account": account["id"],
        "integration_link": link["id"],
        "comment": comment["id"],
        "comment_thread": comment["thread_id"],
    }


def customizations(api: Api, lead_id: str) -> dict[str, str]:
    """Types, a field of each, a shared one, and an object of a type."""
    activity = api.post("/custom_activity/", {"name": "Secret signup"})["id"]
    vessel = api.post("/custom_object_type/", {"name": "Secret vessel", "name_plural": "Secrets"})
    field = {"name": "Secret field", "type": "text"}
    shared = api.post("/custom_field/shared/", field)["id"]
    api.post(f"/custom_field/shared/{shared}/association/", {"object_type": "lead"})
    owner = {"custom_activity_type_id": activity, "custom_object_type_id": vessel["id"]}
    anna = {"lead_id": lead_id, "name": "Secret Anna", **owner}
    return {
        "custom_activity": activity,
        "custom_object_type": vessel["id"],
        "custom_field/shared": shared,
        "custom_field/activity": api.post("/custom_field/activity/", field | owner)["id"],
        "custom_object": api.post("/custom_object/", anna)["id"],
    }


FORBIDDEN = [
    ("restricteduser", "DELETE", "/lead/{lead}/", "delete_leads"),
    ("restricteduser", "POST", "/status/lead/", "manage_customizations"),
    ("user", "POST", "/status/lead/", "manage_customizations"),
    ("user", "PUT", "/status/lead/{status/lead}/", "manage_customizations"),
    ("user", "DELETE", "/status/lead/{status/lead}/", "manage_customizations"),
    ("user", "POST", "/pipeline/", "manage_customizations"),
    ("user", "DELETE", "/pipeline/{pipeline}/", "manage_customizations"),
    ("user", "PUT", "/status/opportunity/{status/opportunity}/", "manage_customizations"),
    ("user", "POST", "/custom_activity/", "manage_customizations"),
    ("user", "PUT", "/custom_object_type/{custom_object_type}/", "manage_customizations"),
    ("user", "DELETE", "/custom_field/shared/{custom_field/shared}/", "manage_customizations"),
    ("user", "DELETE", "/api_key/{api_key}/", "manage_organization"),
    ("superuser", "DELETE", "/api_key/{api_key}/", "manage_organization"),
    ("superuser", "GET", "/invitation/", "manage_organization"),
    ("superuser", "GET", "/invitation/{invitation}/", "manage_organization"),
    ("superuser", "POST", "/invitation/", "manage_organization"),
    ("superuser", "DELETE", "/invitation/{invitation}/", "manage_organization"),
    ("superuser", "PUT", "/organization/{organization}/", "manage_organization"),
    ("superuser", "PUT", "/membership/{membership}/", "manage_organization"),
    ("user", "PUT", "/membership/{membership}/", "manage_organization"),
    ("user", "PUT", "/membership/?id__in={membership}", "manage_organization"),
    ("superuser", "POST", "/membership/", "manage_organization"),
    ("superuser", "DELETE", "/membership/{membership}/", "manage_organization"),
    ("superuser", "POST", "/role/", "manage_organization"),
    ("superuser", "PUT", "/role/{role}/", "manage_organization"),
    ("superuser", "DELETE", "/role/{role}/", "manage_organization"),
    ("superuser", "POST", "/group/", "manage_organization"),
    ("superuser", "PUT", "/group/{group}/", "manage_organization"),
    ("superuser", "DELETE", "/group/{group}/", "manage_organization"),
    ("superuser", "POST", "/group/{group}/member/", "manage_organization"),
    ("superuser", "DELETE", "/group/{group}/member/{user}/", "manage_organization"),
]


@pytest.mark.parametrize(("role", "method", "path", "permission"), FORBIDDEN)
def test_what_a_role_may_not_do_is_refused_and_nothing_changes(
    organization: Organization, role: str, method: str, path: str, permission: str
) -> None:
    api, ids = organization.member(role), objects(organization)
    for name, id in ids.items():
        path = path.replace(f"{{{name}}}", id)
    body = {"name": "x", "label": "x", "role_id": "admin"} if method in ("POST", "PUT") else None
    before = rows_of(organization)
    answer = api(method, path, body)
    text = f"You need the permission {permission} to do this."
    assert (answer.status_code, answer.json()) == (403, {"error": text})
    assert rows_of(organization) == before


def test_nobody_makes_themselves_an_admin(organization: Organization) -> None:
    api = organization.member("superuser")
    membership = membership_of(organization, api)
    assert api("PUT", f"/membership/{membership}/", {"role_id": "admin"}).status_code == 403
    assert api.get("/me/")["memberships"][0]["role_id"] == "superuser"


# Two organizations


@dataclass
class Two:
    """Ours, whose objects `ids` names, and the key of an admin of another organization."""

    ours: Organization
    ids: dict[str, str]
    theirs: Organization

    def secrets(self) -> list[str]:
        return ["Secret", self.ours.system.organization_id, *self.ids.values()]


@pytest.fixture(scope="module")
def two(program: Program) -> Two:
    ours, theirs = make_organization(program), make_organization(program, "North Foods")
    return Two(ours, objects(ours), theirs)


BODY = {"name": "x", "label": "x", "role_id": "user", "first_name": "x", "active": False}


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_no_route_reaches_into_another_organization(two: Two, method: str, path: str) -> None:
    before = rows_of(two.ours)
    api = two.theirs.admin
    for id in two.ids.values():
        queries = [{}, {"_fields": "_all"}]
        if "{id}" not in path:
            names = ("id", "organization_id", "lead_id", "lead_id__in", "user_id", "status_id")
            queries += [{name: id} for name in names]
        body = BODY if method in ("POST", "PUT") else None
        for query in queries:
            url = re.sub(r"\{\w+\}", id, path.replace("{object_type}", "lead"))
            answer = api(method, url, body, **query)
            if "{id}" in path:
                assert answer.status_code in (400, 403, 404), (answer.status_code, answer.text)
            assert answer.status_code < 500
            told = answer.text.replace(id, "") if answer.status_code >= 400 else answer.text
            assert not [secret for secret in two.secrets() if secret in told]
    assert rows_of(two.ours) == before


@pytest.mark.parametrize(
    ("path", "field", "kind", "problem"),
    [
        ("/contact/", "lead_id", "lead", "lead"),
        ("/lead/", "status_id", "status/lead", "status"),
        ("/lead/", "created_by", "user", "created_by"),
        ("/contact/", "created_by", "user", "created_by"),
        ("/opportunity/", "lead_id", "lead", "lead"),
        ("/opportunity/", "contact_id", "contact", "contact"),
        ("/opportunity/", "user_id", "user", "user"),
        ("/opportunity/", "status_id", "status/opportunity", "status"),
        ("/opportunity/", "pipeline_id", "pipeline", "pipeline"),
        ("/status/opportunity/", "pipeline_id", "pipeline", "pipeline"),
        ("/task/", "lead_id", "lead", "lead"),
        ("/task/", "contact_id", "contact", "contact"),
        ("/task/", "assigned_to", "user", "assigned_to"),
        ("/custom_object/", "lead_id", "lead", "lead"),
        (
            "/custom_object/",
            "custom_object_type_id",
            "custom_object_type",
            "custom_object_type",
        ),
        (
            "/custom_field/activity/",
            "custom_activity_type_id",
            "custom_activity",
            "custom_activity_type",
        ),
        (
            "/custom_field/custom_object_type/",
            "custom_object_type_id",
            "custom_object_type",
            "custom_object_type",
        ),
        (
            "/custom_field/lead/",
            "referenced_custom_type_id",
            "custom_object_type",
            "referenced_custom_type",
        ),
        ("/membership/", "role_id", "role", "role"),
    ],
)
def test_references_to_another_organization_are_refused(
    two: Two, path: str, field: str, kind: str, problem: str
) -> None:
    before, theirs = rows_of(two.ours), rows_of(two.theirs)
    type = "custom_object" if path.startswith("/custom_field/") else "won"
    body = {"name": "New", "label": "New", "type": type, "text": "Call", field: two.ids[kind]}
    body["email"] = "new@north.example"
    answer = two.theirs.admin("POST", path, body)
    assert answer.status_code == 400
    assert answer.json()["field-errors"][problem] == "Object does not exist."
    assert (rows_of(two.ours), rows_of(two.theirs)) == (before, theirs)


def test_nothing_is_moved_to_another_organization(two: Two) -> None:
    api = two.theirs.admin
    lead = api.post("/lead/", {"name": "North Foods", "contacts": [{"name": "Bo"}]})
    before, theirs = rows_of(two.ours), rows_of(two.theirs)
    answer = api("PUT", f"/contact/{lead['contact_ids'][0]}/", {"lead_id": two.ids["lead"]})
    assert answer.json()["field-errors"] == {"lead": "Object does not exist."}
    answer = api("PUT", f"/lead/{lead['id']}/", {"status_id": two.ids["status/lead"]})
    assert answer.json()["field-errors"] == {"status": "Object does not exist."}
    assert (rows_of(two.ours), rows_of(two.theirs)) == (before, theirs)


def test_an_organization_in_the_body_is_ignored(two: Two) -> None:
    before = rows_of(two.ours)
    organization = two.ids["organization"]
    made = two.theirs.admin.post("/lead/", {"name": "x", "organization_id": organization})
    assert made["organization_id"] == two.theirs.system.organization
    assert rows_of(two.ours) == before


ODD = [
    "..",
    ".",
    "%",
    "%00",
    "a b",
    "' or '1'='1",
    "lead_x;drop",
    "$1",
    "*",
    "é",
    "\U0001f600",
    "{}",
]


@pytest.mark.parametrize("odd", [*ODD, "a/b", "//", "\\", '"', "x" * 3000, "%s", "{id}", "\n"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_odd_ids_lead_nowhere(two: Two, method: str, odd: str) -> None:
    before = rows_of(two.theirs)
    for prefix in ("lead", "contact", "status/lead", "user", "organization", "membership"):
        # `requests` would resolve dots away: they are sent as they are.
        path = f"/{prefix}/{quote(odd, safe='').replace('.', '%2E')}/"
        if "/" in odd and not odd.strip("/"):
            path += "x/y/"
        answer = two.theirs.admin(method, path, {"name": "x"} if method == "PUT" else None)
        assert answer.status_code in (404, 405), (path, answer.status_code, answer.text)
    assert rows_of(two.theirs) == before


# The database itself


@dataclass
class Sql:
    """A connection in the role of the application."""

    connection: asyncpg.Connection
    two: Two

    async def begin(self, organization: Organization | None) -> None:
        await self.connection.execute("begin; set local role clinch_app")
        if organization is not None:
            id = organization.system.organization_id
            await self.connection.execute(f"set local app.organization_id = '{id}'")

    async def counts(self, table: Table, organization: Organization | None = None) -> int:
        where = ""
        if organization is not None:
            where = f" where organization_id = '{organization.system.organization_id}'"
        found = await self.connection.fetchval(f"select count(*) from {table.name}{where}")
        return int(found)


@pytest.fixture
async def sql(two: Two, cluster: str) -> Any:
    connection = await asyncpg.connect(cluster)
    yield Sql(connection, two)
    await connection.close()


def insert(table: Table, source: Organization, target: Organization) -> str:
    """Copies one row of an organization into another, by its owner's hand or not at all."""
    columns = ", ".join(f'"{column.name}"' for column in table.columns[1:])
    target_id = target.system.organization_id
    return (
        f"insert into {table.name} (organization_id{', ' + columns if columns else ''})"
        f" select '{target_id}'{', ' + columns if columns else ''} from {table.name}"
        f" where organization_id = '{source.system.organization_id}' limit 1"
    )


def values(table: Table, target: Organization) -> str:
    """Inserts a row of empty values, which its types allow."""
    empty = {
        "uuid": f"'{target.system.organization_id}'",
        "bigint": "9",
        "boolean": "true",
        "jsonb": "'[]'",
        "json": "'[]'",
        "bytea": "'\\x00'",
        "text[]": "'{}'",
        "timestamp with time zone": "now()",
        "date": "now()",
        "numeric": "1",
        "integer": "1",
    }
    found = [empty.get(column.type, "'forged'") for column in table.columns]
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    return f"insert into {table.name} ({names}) values ({', '.join(found)})"


@pytest.mark.parametrize("table", TENANT_TABLES, ids=lambda table: table.name)
async def test_without_a_tenant_no_row_is_seen_and_none_is_made(sql: Sql, table: Table) -> None:
    await sql.begin(None)
    assert await sql.counts(table) == 0
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        await sql.connection.execute(values(table, sql.two.ours))
    await sql.connection.execute("rollback")


@pytest.mark.parametrize("table", TENANT_TABLES, ids=lambda table: table.name)
async def test_with_a_tenant_nothing_of_another_is_read_or_written(sql: Sql, table: Table) -> None:
    ours, theirs = sql.two.ours, sql.two.theirs
    before = await sql.counts(table, ours), await sql.counts(table, theirs)
    await sql.begin(theirs)
    assert await sql.counts(table) == await sql.counts(table, theirs) == before[1]
    assert await sql.counts(table, ours) == 0
    ours_id = ours.system.organization_id
    for statement in (
        f"update {table.name} set organization_id = organization_id",
        f"delete from {table.name}",
    ):
        verb = statement.split()[0]
        if verb in table.rights:
            done = await sql.connection.execute(f"{statement} where organization_id = '{ours_id}'")
            assert done.endswith(" 0")
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        await sql.connection.execute(values(table, ours))
    await sql.connection.execute("rollback")
    await sql.begin(theirs)
    if "update" in table.rights and before[1]:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await sql.connection.execute(f"update {table.name} set organization_id = '{ours_id}'")
    await sql.connection.execute("rollback")
    assert (await sql.counts(table, ours), await sql.counts(table, theirs)) == before


async def test_most_tenant_tables_hold_rows_of_both_organizations(sql: Sql) -> None:
    """Else the tests above would prove little."""
    sql.two.theirs.admin.post("/contact/", {"name": "Bo"})
    for organization in (sql.two.ours, sql.two.theirs):
        filled = {t.name for t in TENANT_TABLES if await sql.counts(t, organization)}
        assert {"lead", "contact", "lead_status", "app_user", "membership", "organization"} < filled
        assert {"api_key", "event", "event_body", "event_clock", "search_text"} < filled


async def test_the_log_can_only_be_appended_to(sql: Sql) -> None:
    for statement in (
        "update event set source = 'forged'",
        "delete from event",
        "update event_body set salt = ''",
        "truncate event",
        "truncate lead",
        "alter table lead disable row level security",
        "drop policy lead_tenant on lead",
    ):
        await sql.begin(sql.two.theirs)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await sql.connection.execute(statement)
        await sql.connection.execute("rollback")
