"""OpenAPI documents of others become connectors: what is read, left out, and refused."""

import json
import time
from typing import Any

import jsonschema_rs
import msgspec
import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from clinch.gateway.connectors.connector import Parameter
from clinch.gateway.connectors.document import DocumentError, connector_of, parse_document
from clinch.gateway.connectors.importing import Imported, Wanted, import_openapi
from clinch.gateway.connectors.openapi import as_key
from clinch.gateway.errors import InvalidRequest
from clinch.gateway.running.operations import request_of
from clinch.resources.actor import OperationClass

LISTED = {"get": {"operationId": "listBoats", "responses": {"200": {"description": "ok"}}}}


def document(**changes: Any) -> dict[str, Any]:
    return {
        "openapi": "3.0.3",
        "info": {"title": "Boat Yard", "version": "1"},
        "servers": [{"url": "https://api.boats.example/v2/"}],
        "paths": {"/boats": LISTED},
    } | changes


def read(described: Any, **wanted: Any) -> Imported:
    return import_openapi(json.dumps(described).encode(), Wanted(**wanted), "connector_1")


def refused(described: Any, **wanted: Any) -> str:
    with pytest.raises(DocumentError) as error:
        read(described, **wanted)
    return str(error.value)


def test_a_document_says_what_the_app_is() -> None:
    one = read(document()).connector
    assert (one.key, one.name, one.base_url) == (
        "boat-yard",
        "Boat Yard",
        "https://api.boats.example/v2",
    )
    assert one.domains == ("api.boats.example",)
    assert [option.type for option in one.options] == ["none"]
    assert [(o.key, o.method, o.path) for o in one.operations] == [
        ("boat-yard-list-boats", "GET", "/boats")
    ]


def test_who_imports_may_say_it_otherwise() -> None:
    one = read(
        document(servers=[]),
        key="yard",
        name="The Yard",
        domains=("boats.example",),
        base_url="http://10.0.0.1:81/x/",
    ).connector
    assert (one.key, one.name, one.domains, one.base_url) == (
        "yard",
        "The Yard",
        ("boats.example",),
        "http://10.0.0.1:81/x",
    )


def test_variables_of_a_server_have_their_defaults() -> None:
    server = {
        "url": "https://{region}.boats.example/{v}",
        "variables": {"region": {"default": "eu"}, "v": {"default": "v3"}},
    }
    assert read(document(servers=[server])).connector.base_url == "https://eu.boats.example/v3"


def test_yaml_is_read_as_json_is() -> None:
    described = document(info={"title": "Boat Yard", "version": "2024-01-01"})
    text = yaml.safe_dump(described).replace("'2024-01-01'", "2024-01-01").encode()
    assert b"version: 2024-01-01" in text
    by_yaml = import_openapi(text, Wanted(), "connector_1")
    assert by_yaml == read(described)
    statuses = b"openapi: 3.1.0\ninfo: {title: A}\nservers: [{url: https://a.example}]\n" + (
        b"paths: {/a: {get: {responses: {200: {content: {application/json: {schema:"
        b" {type: string}}}}}}}}\n"
    )
    one = import_openapi(statuses, Wanted(), "connector_1").connector.operations[0]
    assert one.key == "a-get-a"
    assert one.output_schema == {"type": "string"}


def test_security_schemes_become_ways_in() -> None:
    schemes = {
        "bearerAuth": {"type": "http", "scheme": "Bearer"},
        "basic": {"type": "http", "scheme": "basic"},
        "header": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
        "query": {"type": "apiKey", "in": "query", "name": "key"},
        "login": {
            "type": "oauth2",
            "flows": {
                "authorizationCode": {
                    "authorizationUrl": "https://boats.example/authorize",
                    "tokenUrl": "https://boats.example/token",
                    "scopes": {"read": "", "write": ""},
                }
            },
        },
        "cookie": {"type": "apiKey", "in": "cookie", "name": "c"},
        "mutual": {"type": "mutualTLS"},
        "machines": {"type": "oauth2", "flows": {"clientCredentials": {"tokenUrl": "https://a.b"}}},
    }
    made = read(document(components={"securitySchemes": schemes}))
    options = {one.key: one for one in made.connector.options}
    assert list(options) == ["bearer-auth", "basic", "header", "query", "login"]
    sent = {
        "bearer-auth": options["bearer-auth"].placement.placed({"token": "T"}),
        "basic": options["basic"].placement.placed({"username": "u", "password": "p"}),
        "header": options["header"].placement.placed({"apiKey": "K"}),
        "query": options["query"].placement.placed({"apiKey": "K"}),
    }
    assert sent == {
        "bearer-auth": ((("Authorization", "Bearer T"),), ()),
        "basic": ((("Authorization", "Basic dTpw"),), ()),
        "header": ((("X-Api-Key", "K"),), ()),
        "query": ((), (("key", "K"),)),
    }
    password = options["basic"].input_schema["properties"]["password"]
    assert password["writeOnly"]
    oauth = options["login"].oauth
    assert oauth is not None
    assert (oauth.token_url, oauth.scopes) == ("https://boats.example/token", ("read", "write"))
    assert [line.partition(":")[0] for line in made.skipped] == [
        "securitySchemes.cookie",
        "securitySchemes.mutual",
        "securitySchemes.machines",
    ]


def test_inputs_are_one_object_and_go_where_they_belong() -> None:
    item = {
        "parameters": [{"$ref": "#/components/parameters/Id"}],
        "post": {
            "operationId": "moorBoat",
            "parameters": [
                {"name": "id", "in": "query", "schema": {"type": "integer"}},
                {"name": "tag", "in": "query", "schema": {"type": "array"}},
                {"name": "ids", "in": "query", "explode": False, "schema": {"type": "array"}},
                {"name": "filter", "in": "query", "style": "deepObject", "schema": {}},
                {"name": "X-Trace", "in": "header", "schema": {"type": "string"}},
                {"name": "Authorization", "in": "header", "schema": {"type": "string"}},
            ],
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": {
                            "type": "object",
                            "required": ["id", "name"],
                            "properties": {
                                "id": {"type": "string"},
                                "name": {"type": "string", "nullable": True},
                                "made": {"type": "string", "readOnly": True},
                            },
                        }
                    }
                },
            },
        },
    }
    parameters = {"Id": {"name": "id", "in": "path", "required": True, "schema": {}}}
    made = read(document(paths={"/boats/{id}": item}, components={"parameters": parameters}))
    assert made.skipped == ()
    one = made.connector.operations[0]
    assert one.parameters[:2] == (
        Parameter("id", "id", "path"),
        Parameter("id_query", "id", "query"),
    )
    assert set(one.input_schema["properties"]) == {
        "id", "id_query", "tag", "ids", "filter", "X-Trace", "id_body", "name",
    }  # fmt: skip
    assert one.input_schema["required"] == ["id", "id_body", "name"]
    request = request_of(
        one,
        {
            "id": "a b",
            "id_query": 7,
            "tag": ["x", "y"],
            "ids": [1, 2],
            "filter": {"from": "1"},
            "X-Trace": "t",
            "id_body": "B",
            "name": None,
            "more": True,
        },
    )
    assert request.path == "/boats/a%20b"
    assert request.query == (
        ("id", "7"), ("tag", "x"), ("tag", "y"), ("ids", "1,2"), ("filter[from]", "1"),
    )  # fmt: skip
    assert request.headers == (("x-trace", "t"), ("content-type", "application/json"))
    assert json.loads(request.body or b"") == {"id": "B", "name": None, "more": True}


def test_classes_follow_from_methods() -> None:
    described: dict[str, Any] = {"responses": {}}
    item = dict.fromkeys(("get", "post", "put", "patch", "delete"), described)
    classes = [
        one.operation_class for one in read(document(paths={"/a": item})).connector.operations
    ]
    write = OperationClass.WRITE
    assert classes == [OperationClass.READ, write, write, write, OperationClass.DESTRUCTIVE]


def test_recursive_schemas_stay_recursive_and_small() -> None:
    node = {
        "type": "object",
        "properties": {
            "value": {"type": "integer"},
            "left": {"$ref": "#/components/schemas/Node"},
            "all": {"type": "array", "items": {"$ref": "#/components/schemas/Node"}},
        },
    }
    item = {
        "post": {
            "operationId": "grow",
            "requestBody": {
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Node"}}}
            },
            "responses": {},
        }
    }
    made = read(document(paths={"/n": item}, components={"schemas": {"Node": node}}))
    schema = made.connector.operations[0].input_schema
    assert len(json.dumps(schema)) < 1000
    valid = jsonschema_rs.validator_for(schema)
    assert valid.is_valid({"value": 1, "left": {"left": {"value": 2}}})
    assert not valid.is_valid({"left": {"left": {"value": "two"}}})


def test_what_hangs_together_endlessly_is_cut() -> None:
    schemas = {
        f"S{number}": {"properties": {"next": {"$ref": f"#/components/schemas/S{number + 1}"}}}
        for number in range(500)
    }
    response = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/S0"}}}}
    item = {"get": {"operationId": "chain", "responses": {"200": response}}}
    made = read(document(paths={"/c": item}, components={"schemas": schemas}))
    schema = made.connector.operations[0].output_schema
    assert len(schema["$defs"]) < 50
    assert jsonschema_rs.validator_for(schema).is_valid({"next": {"next": {}}})


def test_broken_parts_are_left_out_and_told() -> None:
    paths = {
        "/boats": LISTED,
        "/nowhere": {"$ref": "#/components/pathItems/None"},
        "/round": {"get": {"parameters": [{"$ref": "#/components/parameters/Round"}]}},
        "/boats/{id}": {"get": {"operationId": "noParameter", "responses": {}}},
        "/again": {"get": {"operationId": "list_boats", "responses": {}}},
        "/file": {"put": {"requestBody": {"required": True, "content": {"image/png": {}}}}},
        "/other": {"get": {"operationId": "away", "servers": [{"url": "https://evil.example"}]}},
        "/list": ["no"],
        "/schema": {"get": {"parameters": [{"name": "a", "in": "query", "schema": {"type": 5}}]}},
    }
    parameters = {"Round": {"$ref": "#/components/parameters/Round"}}
    made = read(document(paths=paths, components={"parameters": parameters}))
    assert [one.key for one in made.connector.operations] == ["boat-yard-list-boats"]
    assert [line.partition(": ")[0] for line in made.skipped] == [
        "/nowhere", "GET /round", "GET /boats/{id}", "GET /again", "PUT /file", "GET /other",
        "/list", "GET /schema",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"openapi": "2.0"}, "no OpenAPI document of version 3"),
        ({"openapi": None}, "no OpenAPI document of version 3"),
        ({"paths": {}}, "no operation"),
        ({"paths": {"/a": {"get": {"servers": []}}}}, "no operation that can be used"),
        ({"servers": [{"url": "/v1"}]}, "--base-url"),
        ({"servers": [{"url": "ftp://boats.example"}]}, "base_url"),
        ({"servers": [{"url": "https://me:pass@boats.example"}]}, "base_url"),
        ({"info": {"title": "1234"}}, "--key"),
    ],
)
def test_what_makes_no_connector_is_refused(changes: dict[str, Any], says: str) -> None:
    assert says in refused(document(**changes))


def test_bounds() -> None:
    deep: Any = 1
    for _ in range(200):
        deep = [deep]
    assert "deep" in refused(document(x=deep))
    assert "larger than" in refused("x" * 10_000_001)
    for text in (b"[" * 100_000, b"{" * 100_000, b"- " * 100_000, b"\xff\xfe", b"a: [b", b"", b"7"):
        with pytest.raises(DocumentError):
            import_openapi(text, Wanted(), "connector_1")


def test_yaml_cannot_grow_or_reach_out() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    merged = ["m0: &m0 {k: 1}"]
    merged += [f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 10)}]}}" for n in range(1, 12)]
    for text in (
        "\n".join(lines),
        "&a [*a]",
        "\n".join([*merged, "openapi: 3.0.0"]),
        "a: !!python/object/apply:os.getcwd []",
        "a: !!merge x",
        "a: !!binary aGVsbG8=",
        "a: .nan",
    ):
        with pytest.raises(DocumentError):
            import_openapi(text.encode(), Wanted(), "connector_1")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["$ref", "get", "parameters", "name", "in", "schema", "properties", "type", "content",
             "application/json", "requestBody", "responses", "200", "required", "items", "x"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=15,
)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@example(paths={}, components={}, servers={}, info={}, item={"parameters": [{"name": []}]})
@given(paths=JSON, components=JSON, servers=JSON, info=JSON, item=JSON)
def test_no_document_breaks_the_reader(
    paths: Any, components: Any, servers: Any, info: Any, item: Any
) -> None:
    changed = {"components": {"schemas": components, "securitySchemes": {"a": item}}, "info": info}
    for tried in (
        document(paths=paths, servers=servers),
        document(paths={"/boats": LISTED, "/x/{name}": item, "/y": {"get": item}}, **changed),
    ):
        try:
            made = read(tried, key="k")
        except DocumentError:
            continue
        for one in made.connector.operations:
            assert jsonschema_rs.meta.is_valid(one.input_schema)


def test_our_form_is_kept_and_read_again() -> None:
    made = read(document())
    text = msgspec.json.encode(made.document)
    assert connector_of(parse_document(text), "connector_1")[0] == made.connector


def test_a_pattern_that_never_ends_is_not_waited_for() -> None:
    """It would keep everybody else waiting, who are served by the same process."""
    slow = [{"pattern": f"^(?=a)(a|aa)+$(?<!{number})"} for number in range(100)]
    tags = {"name": "tag", "in": "query", "schema": {"type": "string", "anyOf": slow}}
    item = {"get": {"operationId": "listBoats", "parameters": [tags], "responses": {}}}
    [one] = read(document(paths={"/boats": item})).connector.operations
    assert request_of(one, {"tag": "aaa"}).query == (("tag", "aaa"),)
    begun = time.perf_counter()
    with pytest.raises(InvalidRequest, match="tag"):
        request_of(one, {"tag": "a" * 5000 + "!"})
    assert time.perf_counter() - begun < 1


def test_a_name_in_capitals_is_read_at_any_length() -> None:
    assert as_key("A" * 500_000) == "a" * 100
