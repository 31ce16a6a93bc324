"""The app `close`, made of this program's own OpenAPI document."""

from typing import Any

import jsonschema_rs
import pytest
from gateway.connectors.standing import operation_of

from clinch.db.database import Database
from clinch.gateway.actions.catalog import ACTIONS
from clinch.gateway.connectors.close import close
from clinch.gateway.connectors.connector import Connector, OAuthServer
from clinch.gateway.running.operations import request_of
from clinch.program import api_routes, declarations
from clinch.resources.actor import OperationClass
from clinch.resources.store import Store
from clinch.server.openapi import openapi
from clinch.vault.vault import Vault

HERE = "https://crm.example"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    declared = declarations(HERE)
    store = Store(Database("postgresql://nobody@127.0.0.1:1/none"), declared)
    return openapi(declared, api_routes(store, Vault("0" * 64)))


@pytest.fixture(scope="module")
def own(document: dict[str, Any]) -> Connector:
    return close(document, HERE)


def test_every_operation_of_the_document_is_there_once(
    own: Connector, document: dict[str, Any]
) -> None:
    described = {
        (method.upper(), path) for path, methods in document["paths"].items() for method in methods
    }
    assert {(one.method, one.path) for one in own.operations} == described
    assert len({one.key for one in own.operations}) == len(own.operations) > 150


def test_keys_are_none_of_the_friendly_actions(own: Connector) -> None:
    assert not {one.key for one in own.operations} & set(ACTIONS)


def test_classes_are_those_of_the_declarations(own: Connector) -> None:
    classes = {one.key: one.operation_class for one in own.operations}
    assert classes["api-list-lead"] == OperationClass.READ
    assert classes["api-bulk-update-task"] == OperationClass.WRITE
    assert classes["api-delete-lead"] == OperationClass.DESTRUCTIVE
    assert classes["api-merge-leads"] == OperationClass.DESTRUCTIVE  # though it is a POST


def test_a_raw_request_has_the_class_of_its_operation(own: Connector) -> None:
    assert own.class_of("GET", "/lead/lead_1") == OperationClass.READ
    assert own.class_of("POST", "/lead/merge/") == OperationClass.DESTRUCTIVE
    assert own.class_of("post", "/lead/merge") == OperationClass.DESTRUCTIVE
    assert own.class_of("PUT", "/lead/lead_1/") == OperationClass.WRITE
    assert own.class_of("GET", "/unknown/") == OperationClass.READ
    assert own.class_of("PURGE", "/unknown/") == OperationClass.DESTRUCTIVE


def test_schemas_stand_by_themselves(own: Connector) -> None:
    for one in own.operations:
        for schema in (one.input_schema, one.output_schema):
            assert jsonschema_rs.meta.is_valid(schema), one.key
            jsonschema_rs.validator_for(schema)
    lead = operation_of(own, "api-get-lead")
    answered = jsonschema_rs.validator_for(lead.output_schema)
    assert answered.is_valid({"name": "A", "contacts": []})
    assert not answered.is_valid({"contacts": [{"name": 1}]})


def test_an_input_becomes_a_request(own: Connector) -> None:
    update = operation_of(own, "api-update-lead")
    request = request_of(
        update, {"id": "lead_a/b", "name": "N", "custom.cf_1": "x", "_fields": "id,name"}
    )
    assert (request.method, request.path) == ("PUT", "/lead/lead_a%2Fb/")
    assert request.query == (("_fields", "id,name"),)
    assert request.body == b'{"name":"N","custom.cf_1":"x"}'


def test_four_oauth_of(own: Connector) -> None:
    ways = {one.key: (one.type, one.base_url) for one in own.options}
    assert ways == {
        "this-server": ("this-server", f"{HERE}/api/v1"),
        "api-key": ("api-key", f"{HERE}/api/v1"),
        "close-com": ("oauth2", "https://api.close.com/api/v1"),
        "close-com-api-key": ("api-key", "https://api.close.com/api/v1"),
    }
    assert [one.key for one in own.options if one.here] == ["this-server", "api-key"]
    by_key = own.option("api-key")
    assert by_key is not None
    assert by_key.placement.placed({"apiKey": "api_1"}) == (
        (("Authorization", "Basic YXBpXzE6"),),
        (),
    )
    oauth = oauth_of(own, "close-com")
    assert oauth.authorize_url == "https://app.close.com/oauth2/authorize/"
    assert oauth.token_url == "https://api.close.com/oauth2/token/"


def test_another_server_in_place_of_close_com(document: dict[str, Any]) -> None:
    other = close(document, HERE, "https://other.example")
    assert {one.base_url for one in other.options if one.here} == {f"{HERE}/api/v1"}
    assert {one.base_url for one in other.options if not one.here} == {
        "https://other.example/api/v1"
    }
    oauth = oauth_of(other, "close-com")
    assert (oauth.authorize_url, oauth.token_url, oauth.revoke_url) == (
        "https://other.example/oauth2/authorize/",
        "https://other.example/oauth2/token/",
        "https://other.example/oauth2/revoke/",
    )


def oauth_of(connector: Connector, key: str) -> OAuthServer:
    [oauth] = [one.oauth for one in connector.options if one.key == key]
    assert oauth is not None
    return oauth
