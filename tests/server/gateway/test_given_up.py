"""What a tenant has after the key was lost that sealed it: an answer that says so, and a way on."""

import secrets
from typing import Any

import pytest
from harness import SECRET_KEY, Organization
from identity.people import sql
from server.gateway.desk import Desk, user_desk
from server.gateway.test_connections import connect, proxied

from clinch.cli.administration.sealed import give_up
from clinch.gateway.tenancy.tenants import DATA_KEYS, new_data_key, tenant_of_user
from clinch.vault.vault import Vault


@pytest.fixture
def desk(organization: Organization) -> Desk:
    return user_desk(organization)


def seal_data_key(organization: Organization, vault: Vault, *, anew: bool = False) -> None:
    """Seal the data key of the admin's tenant by another vault; or another data key."""
    here, program = Vault(SECRET_KEY), organization.program
    tenant = program.run(tenant_of_user(program.store.database, here, organization.actor()))
    place = DATA_KEYS.place_of(tenant.organization_id, tenant.id)
    key = new_data_key() if anew else here.open(tenant.wrapped_data_key, place)
    sql(
        program,
        "update gateway_tenant set wrapped_data_key = $3"
        " where organization_id = $1 and tenant_id = $2",
        tenant.organization_id,
        tenant.id,
        vault.seal(key, place),
    )


def run(desk: Desk, connection: str) -> str:
    done = desk.ask(
        "POST",
        "/actions/create-lead/run",
        {"input": {"name": "Harbour"}},
        connectionId=connection,
    )
    assert done.status_code == 200, done.text
    return str(done.json()["actionRunId"])


def refused(response: Any, status: int, key: str) -> str:
    """What a refusal says, with the hint that it has."""
    told = response.json()
    assert (response.status_code, told["key"]) == (status, key), response.text
    return f"{told['message']} {told['data']['hint']}"


def states(desk: Desk) -> dict[str, str]:
    return {one["id"]: one["state"] for one in desk.get("/connections")["items"]}


def test_a_key_that_is_only_missing_changes_nothing(organization: Organization, desk: Desk) -> None:
    here, elsewhere = connect(desk)["id"], Vault(secrets.token_hex(32))
    record = run(desk, here)
    seal_data_key(organization, elsewhere)
    for response in (
        desk.ask("GET", f"/action-run-logs/{record}"),
        desk.ask("GET", "/action-run-logs"),
        desk.ask("POST", f"/connections/{here}/test"),
        proxied(desk, here, "/me/"),
        desk.ask("POST", f"/connections/{here}/reconnect"),
        desk.ask("DELETE", f"/connections/{here}"),
    ):
        assert "clinch doctor" in refused(response, 409, "secret_key_missing")
    assert states(desk) == {here: "READY"}


def test_what_was_given_up_is_told_and_connected_anew(
    organization: Organization, desk: Desk
) -> None:
    here = connect(desk)["id"]
    key = {"authOptionKey": "api-key", "input": {"apiKey": organization.admin.key}}
    keyed = connect(desk, allowMultipleConnections=True, **key)["id"]
    record, lost = run(desk, here), Vault(secrets.token_hex(32))
    seal_data_key(organization, lost)
    program = organization.program
    done = program.run(give_up(program.store.database, Vault(SECRET_KEY), lost.names))
    assert done["gateway_tenant"] == 1

    for path in (f"/action-run-logs/{record}", f"/action-run-logs/{record}/details"):
        assert "run it again" in refused(desk.ask("GET", path), 409, "given_up")
    [listed] = desk.get("/action-run-logs")["items"]
    assert (listed["id"], listed["status"], listed["output"]) == (record, "success", None)

    assert states(desk) == dict.fromkeys((here, keyed), "CLIENT_ACTION_REQUIRED")
    for connection in (here, keyed):
        said = refused(proxied(desk, connection, "/me/"), 400, "connection_is_defunct")
        assert "The key that sealed its credentials was given up." in said
        assert f"membrane connect --connectionId={connection}" in said
    assert desk.ask("DELETE", f"/connections/{keyed}").status_code == 200
    assert connect(desk)["id"] == here
    assert states(desk) == {here: "READY"}
    assert proxied(desk, here, "/me/").json()["id"] == organization.admin.user_id
    assert desk.get(f"/action-run-logs/{run(desk, here)}")["output"]["display_name"] == "Harbour"


def test_what_another_data_key_sealed_is_told_and_connected_anew(
    organization: Organization, desk: Desk
) -> None:
    """As where the tables were brought back from dumps of different days."""
    first = connect(desk)["id"]
    second = connect(desk, allowMultipleConnections=True)["id"]
    record = run(desk, first)
    seal_data_key(organization, Vault(SECRET_KEY), anew=True)
    refused(desk.ask("GET", f"/action-run-logs/{record}"), 409, "given_up")
    assert first in refused(proxied(desk, first, "/me/"), 400, "connection_is_defunct")
    assert desk.ask("POST", f"/connections/{first}/test").json() == {"success": False}
    again = desk.ask("POST", f"/connections/{first}/reconnect")
    assert again.status_code == 200, again.text
    assert proxied(desk, first, "/me/").status_code == 200
    assert desk.ask("DELETE", f"/connections/{second}").status_code == 200
