"""What bad input gets: the text that clients know, and a database that stays as it was.

Every refusal goes through `refuse`, which compares all rows and events of the organization before
and after.
"""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
import requests
from harness import Api, Organization, rows_of

Refuse = Callable[..., requests.Response]

NO_URL = {
    "error": "The requested URL was not found on the server. If you entered the URL manually please"
    " check your spelling and try again."
}
BAD_JSON = {"error": "The request contains invalid JSON."}
NO_DICT = {"error": "JSON data must be a dict."}
NO_JSON_TYPE = {"error": "Please send valid JSON with a 'Content-Type: application/json' header."}
NO_METHOD = {"error": "The method is not allowed for the requested URL."}
TOO_LARGE = {"error": "The request is larger than 1000000 bytes."}
TOO_DEEP = {"error": "The request's JSON is nested deeper than 100 levels."}
UNAUTHORIZED = {"error": "Unauthorized"}

REQUIRED = "This field is required."
NO_OBJECT = "Object does not exist."
NO_CHOICE = "Not a valid choice."
NO_INT = "Value must be of int type."
NO_NULLS = "The value must not contain null characters."
NO_TIME = "Invalid ISO 8601 datetime."
NO_SCHEME = "This URL uses a scheme that's not allowed."


def fields(**problems: Any) -> dict[str, Any]:
    """The body of a refusal for what fields hold."""
    return {"errors": [], "field-errors": problems}


def entries(**problems: Any) -> dict[str, Any]:
    """The problem of a list field; the positions are written `_0`, `_1`."""
    return {"errors": {position[1:]: problem for position, problem in problems.items()}}


@pytest.fixture
def lead(api: Api) -> dict[str, Any]:
    """A lead with a contact."""
    contact = {"name": "Ada Moss", "emails": [{"email": "ada@harbour.example"}]}
    made: dict[str, Any] = api.post("/lead/", {"name": "Harbour Tools", "contacts": [contact]})
    return made


@pytest.fixture
def refuse(organization: Organization, lead: dict[str, Any]) -> Refuse:
    """Send a request that must be refused, and see that nothing has changed by it.

    `raw` is a body as bytes, or an iterator for chunks; `headers` replace the usual ones.
    """
    api = organization.admin

    def refuse(
        method: str,
        path: str,
        body: Any = None,
        *,
        raw: Any = None,
        headers: dict[str, str] | None = None,
        authorized: bool = True,
    ) -> requests.Response:
        before = rows_of(organization)
        typed = {"content-type": "application/json"} if raw is not None or body is not None else {}
        answer = requests.request(
            method,
            f"{api.program.url}/api/v1{path}",
            data=json.dumps(body) if body is not None else raw,
            headers=typed if headers is None else headers,
            auth=(api.key, "") if authorized else None,
            timeout=30,
        )
        assert 400 <= answer.status_code < 500, (answer.status_code, answer.text)
        assert answer.headers["content-type"] == "application/json"
        assert rows_of(organization) == before
        return answer

    return refuse


def same(answer: requests.Response, status: int, body: dict[str, Any]) -> None:
    assert (answer.status_code, answer.json()) == (status, body)


# What is not there


OBJECTS = {
    "lead": "Lead",
    "contact": "Contact",
    "status/lead": "LeadStatus",
    "user": "User",
    "organization": "Organization",
    "api_key": "ApiKey",
    "invitation": "Invitation",
    "opportunity": "Opportunity",
    "account": "Account",
    "comment": "Comment",
    "comment_thread": "CommentThread",
    "integration_link": "IntegrationLink",
    "pipeline": "Pipeline",
    "status/opportunity": "OpportunityStatus",
    "task": "Task",
    "custom_field/lead": "LeadCustomField",
    "custom_field/activity": "ActivityCustomField",
    "custom_field/custom_object_type": "CustomObjectCustomField",
    "custom_field/shared": "SharedCustomField",
    "custom_activity": "CustomActivityType",
    "custom_object_type": "CustomObjectType",
    "custom_object": "CustomObject",
    "role": "Role",
    "group": "Group",
    "activity/sms": "SMS",
    "activity/whatsapp_message": "WhatsAppMessage",
    "activity/status_change/lead": "LeadStatusChange",
}


@pytest.mark.parametrize(("path", "name"), OBJECTS.items())
@pytest.mark.parametrize("id", ["unknown_1", "x" * 500, "%00", "%FF", "' or 1=1 --", "é", "%"])
def test_an_unknown_object_is_named_by_its_kind(
    refuse: Refuse, path: str, name: str, id: str
) -> None:
    body = {"error": f"Empty query: {name} matching query does not exist."}
    same(refuse("GET", f"/{path}/{id}/"), 404, body)


@pytest.mark.parametrize("id", ["lead_unknown", "%00"])
def test_an_unknown_object_can_be_neither_changed_nor_deleted(refuse: Refuse, id: str) -> None:
    body = {"error": "Empty query: Lead matching query does not exist."}
    same(refuse("PUT", f"/lead/{id}/", {"name": "x"}), 404, body)
    same(refuse("DELETE", f"/lead/{id}/"), 404, body)


def test_an_object_is_not_found_under_another_resource(
    refuse: Refuse, lead: dict[str, Any]
) -> None:
    [contact] = lead["contact_ids"]
    body = {"error": "Empty query: Lead matching query does not exist."}
    same(refuse("DELETE", f"/lead/{contact}/"), 404, body)


@pytest.mark.parametrize(
    "path", ["/nothing/", "/", "", "/lead/a/b/", "/status/", "/Lead/", "/me/x"]
)
def test_an_unknown_url_is_said_to_be_one(refuse: Refuse, path: str) -> None:
    same(refuse("GET", path), 404, NO_URL)
    same(refuse("POST", path, {"name": "x"}), 404, NO_URL)
    same(refuse("DELETE", path), 404, NO_URL)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PATCH", "/lead/"),
        ("OPTIONS", "/lead/"),
        ("TRACE", "/lead/"),
        ("PUT", "/lead/"),
        ("DELETE", "/lead/"),
        ("PATCH", "/lead/{lead}/"),
        ("POST", "/me/"),
        ("DELETE", "/user/{user}/"),
        ("PUT", "/user/{user}/"),
        ("POST", "/user/{user}/"),
        ("DELETE", "/organization/{organization}/"),
        ("GET", "/membership/x/"),
    ],
)
def test_a_method_that_a_url_does_not_have_is_refused(
    refuse: Refuse, organization: Organization, lead: dict[str, Any], method: str, path: str
) -> None:
    path = path.format(
        lead=lead["id"],
        user=organization.admin.user_id,
        organization=organization.system.organization,
    )
    body: dict[str, str] | None = {} if method in ("POST", "PUT") else None
    same(refuse(method, path, body), 405, NO_METHOD)


def test_posting_to_an_object_is_answered_with_a_hint(refuse: Refuse, lead: dict[str, Any]) -> None:
    body = {"error": "404 Not Found: Did you mean to use PUT?"}
    same(refuse("POST", f"/lead/{lead['id']}/", {"name": "x"}), 404, body)


# Credentials


def basic(user: bytes) -> str:
    return "Basic " + base64.b64encode(user).decode()


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Basic",
        "Basic ???",
        "Bearer api_x.y",
        "Digest x",
        basic(b""),
        basic(b":"),
        basic(b":password"),
        basic(b"api_x.y:"),
        basic(b"api_x:"),
        basic(b"\xff\xfe:"),
        basic(b"a\x00b.c:"),
        basic(b"x" * 3000 + b":"),
        basic("é.é:".encode()),
    ],
)
def test_who_does_not_name_a_key_is_unauthorized(refuse: Refuse, authorization: str | None) -> None:
    headers = {"content-type": "application/json"}
    if authorization is not None:
        headers["authorization"] = authorization
    for method, path in (("GET", "/me/"), ("POST", "/lead/"), ("GET", "/nothing/")):
        raw = b'{"name": "x"}' if method == "POST" else None
        answer = refuse(method, path, raw=raw, headers=headers, authorized=False)
        same(answer, 401, UNAUTHORIZED)
        told = answer.headers["www-authenticate"]
        if authorization == "Bearer api_x.y":
            assert told == 'Bearer error="invalid_token"'
        else:
            assert told == 'Basic realm="API key"'


def test_a_key_with_another_secret_is_unauthorized(refuse: Refuse, api: Api) -> None:
    id, _, secret = api.key.partition(".")
    for key in (f"{id}.{secret[::-1]}", f"{id}.", id, f"{id}.{secret}x", f"{id.upper()}.{secret}"):
        headers = {"authorization": basic(f"{key}:".encode())}
        same(refuse("GET", "/me/", headers=headers, authorized=False), 401, UNAUTHORIZED)


# Values


CREATES = [
    ("/status/lead/", {}, fields(label=REQUIRED)),
    ("/status/lead/", {"label": None}, fields(label=REQUIRED)),
    ("/status/lead/", {"label": "  "}, fields(label=REQUIRED)),
    ("/status/lead/", {"label": "potential"}, fields(label="This value is already in use.")),
    (
        "/status/lead/",
        {"label": "x", "color": "x" * 33},
        fields(color="The value must be no longer than 32 characters."),
    ),
    ("/lead/", {"status_id": "stat_unknown"}, fields(status=NO_OBJECT)),
    ("/lead/", {"status_id": 5}, fields(status="Value must be of str type.")),
    (
        "/lead/",
        {"status": 'foo {x} "%s"'},
        fields(
            status="Not a valid choice. Please go to Customizations in your organization settings"
            ' and add "foo {x} "%s"" to the list of lead statuses.'
        ),
    ),
    (
        "/lead/",
        {"status": "foo"},
        fields(
            status="Not a valid choice. Please go to Customizations in your organization settings"
            ' and add "foo" to the list of lead statuses.'
        ),
    ),
    ("/lead/", {"created_by": "user_unknown"}, fields(created_by=NO_OBJECT)),
    (
        "/lead/",
        {"name": 5, "url": [], "description": {}, "addresses": "x", "contacts": {}},
        fields(
            name="Value must be of str type.",
            url="Value must be of str type.",
            description="Value must be of str type.",
            addresses="Value must be of list type.",
            contacts="Value must be of list type.",
        ),
    ),
    ("/lead/", {"name": True}, fields(name="Value must be of str type.")),
    ("/lead/", {"name": 10**50}, fields(name="Value must be of str type.")),
    (
        "/lead/",
        {"name": "x" * 1001},
        fields(name="The value must be no longer than 1000 characters."),
    ),
    (
        "/lead/",
        {"description": "x" * 100_001},
        fields(description="The value must be no longer than 100000 characters."),
    ),
    (
        "/lead/",
        {"url": "x" * 2001},
        fields(url="The value must be no longer than 2000 characters."),
    ),
    ("/lead/", {"url": "http://"}, fields(url="Invalid URL.")),
    ("/lead/", {"url": "https:///path"}, fields(url="Invalid URL.")),
    ("/lead/", {"url": "http://a b.example"}, fields(url="Invalid URL.")),
    ("/lead/", {"url": "javascript:alert(1)"}, fields(url=NO_SCHEME)),
    ("/lead/", {"url": "JavaScript://x.example/%0aalert(1)"}, fields(url=NO_SCHEME)),
    ("/lead/", {"url": "ftp://harbour.example"}, fields(url=NO_SCHEME)),
    ("/lead/", {"url": "data:text/html,x"}, fields(url=NO_SCHEME)),
    ("/lead/", {"date_created": "yesterday"}, fields(date_created=NO_TIME)),
    ("/lead/", {"date_created": 5}, fields(date_created=NO_TIME)),
    ("/lead/", {"date_created": "2026-13-01"}, fields(date_created=NO_TIME)),
    ("/lead/", {"date_created": "0001-01-01T00:00:00+14:00"}, fields(date_created=NO_TIME)),
    ("/lead/", {"contacts": [{}] * 101}, fields(contacts="List is too long.")),
    ("/lead/", {"addresses": [{}] * 101}, fields(addresses="List is too long.")),
    (
        "/lead/",
        {"addresses": [{}, 5, {"city": 5}]},
        fields(
            addresses=entries(
                _1="Value must be of dict type.", _2=fields(city="Value must be of str type.")
            )
        ),
    ),
    (
        "/lead/",
        {"contacts": [{"emails": [{"email": "bad"}]}]},
        fields(
            contacts=entries(_0=fields(emails=entries(_0=fields(email="Invalid email address."))))
        ),
    ),
    (
        "/lead/",
        {
            "name": 5,
            "contacts": [
                {},
                7,
                {"phones": [{}], "urls": [{"url": " "}], "emails": [{}, {"email": None}]},
            ],
        },
        fields(
            name="Value must be of str type.",
            contacts=entries(
                _1="Value must be of dict type.",
                _2=fields(
                    emails=entries(_0=fields(email=REQUIRED), _1=fields(email=REQUIRED)),
                    phones=entries(_0=fields(phone=REQUIRED)),
                    urls=entries(_0=fields(url=REQUIRED)),
                ),
            ),
        ),
    ),
    ("/opportunity/", {"lead_id": "lead_unknown"}, fields(lead=NO_OBJECT)),
    ("/opportunity/", {"contact_id": "cont_unknown"}, fields(contact=NO_OBJECT)),
    ("/opportunity/", {"user_id": "user_unknown"}, fields(user=NO_OBJECT)),
    ("/opportunity/", {"status_id": "stat_unknown"}, fields(status=NO_OBJECT)),
    ("/opportunity/", {"status": "foo"}, fields(status=NO_CHOICE)),
    ("/opportunity/", {"value_period": "weekly"}, fields(value_period=NO_CHOICE)),
    ("/opportunity/", {"value": -1}, fields(value="The value must be at least 0.")),
    (
        "/opportunity/",
        {"value": 10**60},
        fields(value="The value must not be larger than 1000000000000000."),
    ),
    (
        "/opportunity/",
        {"confidence": 101},
        fields(confidence="The value must not be larger than 100."),
    ),
    (
        "/opportunity/",
        {"value": "5", "confidence": True, "date_won": "soon"},
        fields(value=NO_INT, confidence=NO_INT, date_won=NO_TIME),
    ),
    ("/opportunity/", {"value": 1.5}, fields(value=NO_INT)),
    ("/status/opportunity/", {}, fields(label=REQUIRED, type=REQUIRED)),
    ("/status/opportunity/", {"label": "x", "type": "maybe"}, fields(type=NO_CHOICE)),
    ("/status/opportunity/", {"label": "x", "type": None}, fields(type=REQUIRED)),
    (
        "/status/opportunity/",
        {"label": "x", "type": "won", "pipeline_id": "pipe_unknown"},
        fields(pipeline=NO_OBJECT),
    ),
    ("/pipeline/", {}, fields(name=REQUIRED)),
    (
        "/pipeline/",
        {"name": "x", "statuses": [{"label": "x"}]},
        fields(statuses=entries(_0=fields(type=REQUIRED))),
    ),
    ("/task/", {}, fields(lead=REQUIRED, text=REQUIRED)),
    ("/task/", {"lead_id": "lead_unknown", "text": "Call"}, fields(lead=NO_OBJECT)),
    ("/task/", {"text": "x", "date": "soon"}, fields(date=NO_TIME)),
    (
        "/task/",
        {"text": "x", "is_complete": "yes"},
        fields(is_complete="Value must be of bool type."),
    ),
    ("/contact/", {"lead_id": "lead_unknown"}, fields(lead=NO_OBJECT)),
    ("/contact/", {"lead_id": ["x"]}, fields(lead="Value must be of str type.")),
    ("/contact/", {"timezone": "Mars/Base"}, fields(timezone="Invalid time zone.")),
    ("/contact/", {"timezone": "../../etc/passwd"}, fields(timezone="Invalid time zone.")),
    ("/contact/", {"emails": [{}] * 101}, fields(emails="List is too long.")),
    (
        "/contact/",
        {"phones": [{"phone": "call me"}]},
        fields(phones=entries(_0=fields(phone="Invalid phone number."))),
    ),
    (
        "/contact/",
        {"urls": [{"url": "javascript:x"}]},
        fields(urls=entries(_0=fields(url=NO_SCHEME))),
    ),
]


@pytest.mark.parametrize(("path", "sent", "body"), CREATES)
def test_a_value_that_does_not_fit_is_named_with_its_field(
    refuse: Refuse, path: str, sent: dict[str, Any], body: dict[str, Any]
) -> None:
    same(refuse("POST", path, sent), 400, body)


@pytest.mark.parametrize(
    "address",
    [
        "ada",
        "ada@",
        "@harbour.example",
        "ada@harbour",
        "ada@harbour.e",
        "ada@harbour.123",
        "ada moss@harbour.example",
        "ada@harbour..example",
        "ada@@harbour.example",
        "ada@harbour.example, bo@harbour.example",
        "ada@harbour." + "x" * 64,
        "x" * 250 + "@a.example",
    ],
)
def test_what_is_no_email_address_is_refused(refuse: Refuse, address: str) -> None:
    body = fields(emails=entries(_0=fields(email="Invalid email address.")))
    same(refuse("POST", "/contact/", {"emails": [{"email": address}]}), 400, body)


UPDATES = [
    ("/contact/{contact}/", {"lead_id": "lead_unknown"}, fields(lead=NO_OBJECT)),
    ("/contact/{contact}/", {"lead_id": None}, fields(lead=REQUIRED)),
    ("/contact/{contact}/", {"lead_id": ""}, fields(lead=REQUIRED)),
    ("/lead/{lead}/", {"name": []}, fields(name="Value must be of str type.")),
    ("/lead/{lead}/", {"status_id": None}, fields(status=REQUIRED)),
    (
        "/lead/{lead}/",
        {"name": "good", "status": "foo"},
        fields(
            status="Not a valid choice. Please go to Customizations in your organization settings"
            ' and add "foo" to the list of lead statuses.'
        ),
    ),
    ("/organization/{organization}/", {"currency": "EU"}, fields(currency=NO_CHOICE)),
    ("/organization/{organization}/", {"currency": "EURO"}, fields(currency=NO_CHOICE)),
    ("/organization/{organization}/", {"currency": "ZZZ"}, fields(currency=NO_CHOICE)),
    ("/organization/{organization}/", {"currency": None}, fields(currency=NO_CHOICE)),
    ("/organization/{organization}/", {"country": "ZZ"}, fields(country=NO_CHOICE)),
    (
        "/organization/{organization}/",
        {"country": None},
        fields(country=NO_CHOICE),
    ),
    (
        "/organization/{organization}/",
        {"country": "GBR"},
        fields(country=NO_CHOICE),
    ),
    (
        "/pipeline/{pipeline}/",
        {"name": "x", "statuses": [{"id": "stat_unknown"}]},
        fields(statuses=NO_OBJECT),
    ),
    ("/pipeline/{pipeline}/", {"statuses": [5]}, fields(statuses=NO_OBJECT)),
    ("/organization/{organization}/", {"name": ""}, fields(name=REQUIRED)),
    ("/membership/{membership}/", {"role_id": "boss"}, fields(role=NO_OBJECT)),
    (
        "/membership/{membership}/",
        {"role_id": ["user"]},
        fields(role="Value must be of str type."),
    ),
    ("/membership/{membership}/", {"role_id": None}, fields(role=REQUIRED)),
    ("/membership/{membership}/", {"role_id": ""}, fields(role=REQUIRED)),
]


@pytest.mark.parametrize(("path", "sent", "body"), UPDATES)
def test_a_change_that_does_not_fit_is_refused_as_a_whole(
    refuse: Refuse,
    organization: Organization,
    lead: dict[str, Any],
    path: str,
    sent: dict[str, Any],
    body: dict[str, Any],
) -> None:
    path = path.format(
        lead=lead["id"],
        contact=lead["contact_ids"][0],
        organization=organization.system.organization,
        membership=organization.admin.get("/me/")["memberships"][0]["id"],
        pipeline=organization.admin.get("/pipeline/")["data"][0]["id"],
    )
    same(refuse("PUT", path, sent), 400, body)


def test_the_last_lead_status_and_one_in_use_stay(refuse: Refuse, api: Api) -> None:
    statuses = api.get("/status/lead/")["data"]
    in_use = {"error": "The object is in use, or refers to one that does not exist any more."}
    same(refuse("DELETE", f"/status/lead/{statuses[0]['id']}/"), 400, in_use)
    for status in statuses[1:]:
        api.delete(f"/status/lead/{status['id']}/")
    last = {"error": "The last lead status cannot be deleted."}
    same(refuse("DELETE", f"/status/lead/{statuses[0]['id']}/"), 400, last)


# Bodies


def test_a_post_and_a_put_need_a_body(refuse: Refuse, lead: dict[str, Any]) -> None:
    same(refuse("POST", "/lead/", raw=b""), 400, BAD_JSON)
    same(refuse("PUT", f"/lead/{lead['id']}/", raw=b""), 400, BAD_JSON)
    same(refuse("POST", "/lead/"), 400, BAD_JSON)


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"name=x",
        b'{"name": "x"}}',
        b'{"name": "x",}',
        b"{'name': 'x'}",
        b'{"name": NaN}',
        b'{"name": Infinity}',
        b'{"name": -Infinity}',
        b'{"name": 1e999}',
        b'{"name": ' + b"9" * 5000 + b"}",
        b'{"name": "\xff"}',
        b'{"name": "\xed\xa0\x80"}',
        b'{"name": "\\ud800"}',
        b'{"name": "\\udc00\\ud800"}',
        b'{"\\ud800": 1}',
        b'{"contacts": [{"name": "\\ud800"}]}',
        b'{"name": "\x01"}',
        b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"),
        b"\x00",
        b"\x1f\x8b\x08",
    ],
)
def test_what_is_not_json_is_refused(refuse: Refuse, lead: dict[str, Any], raw: bytes) -> None:
    same(refuse("POST", "/lead/", raw=raw), 400, BAD_JSON)
    same(refuse("PUT", f"/lead/{lead['id']}/", raw=raw), 400, BAD_JSON)


@pytest.mark.parametrize("raw", [b"[]", b"1", b"null", b"true", b'"x"', b'[{"name": "x"}]'])
def test_json_that_is_no_object_is_refused(
    refuse: Refuse, lead: dict[str, Any], raw: bytes
) -> None:
    same(refuse("POST", "/lead/", raw=raw), 400, NO_DICT)
    same(refuse("PUT", f"/lead/{lead['id']}/", raw=raw), 400, NO_DICT)


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "json",
        "x" * 99,
    ],
)
def test_a_body_that_is_not_said_to_be_json_is_refused(refuse: Refuse, content_type: str) -> None:
    headers = {"content-type": content_type}
    same(refuse("POST", "/lead/", raw=b'{"name": "x"}', headers=headers), 400, NO_JSON_TYPE)


def test_a_body_over_a_million_bytes_is_refused(refuse: Refuse, lead: dict[str, Any]) -> None:
    raw = b'{"name": "' + b"x" * 1_000_000 + b'"}'
    same(refuse("POST", "/lead/", raw=raw), 413, TOO_LARGE)
    same(refuse("PUT", f"/lead/{lead['id']}/", raw=raw), 413, TOO_LARGE)
    same(refuse("POST", "/lead/", raw=iter([raw[:600_000], raw[600_000:]])), 413, TOO_LARGE)


def test_nesting_over_a_hundred_levels_is_refused(refuse: Refuse) -> None:
    same(refuse("POST", "/lead/", raw=b"[" * 101 + b"]" * 101), 400, TOO_DEEP)
    same(refuse("POST", "/lead/", raw=b"[" * 500_000), 400, TOO_DEEP)
    same(refuse("POST", "/lead/", raw=b'{"a":' * 101 + b"1" + b"}" * 101), 400, TOO_DEEP)
    same(refuse("POST", "/lead/", raw=b"[" * 100 + b"]" * 100), 400, NO_DICT)


def test_strings_that_never_end_cost_no_more_than_their_length(refuse: Refuse) -> None:
    """With time in the square of the length this would outlast the test's time limit by far."""
    raw = b"[" * 101 + b'"' + b'\\"' * 490_000
    same(refuse("POST", "/lead/", raw=raw), 400, TOO_DEEP)


def test_brackets_in_strings_are_no_nesting(api: Api) -> None:
    name = '[{"' * 120 + "\\"
    assert api.post("/lead/", {"name": name, "_unknown": [[]] * 200})["name"] == name


@pytest.mark.parametrize(
    ("path", "sent", "body"),
    [
        ("/lead/", {"name": "a\0b"}, fields(name=NO_NULLS)),
        ("/lead/", {"url": "a.example/\0"}, fields(url=NO_NULLS)),
        ("/lead/", {"status_id": "\0"}, fields(status=NO_OBJECT)),
        ("/lead/", {"status": "\0"}, {"error": "A value in the request cannot be stored."}),
        ("/lead/", {"created_by": "\0"}, fields(created_by=NO_OBJECT)),
        ("/lead/", {"date_created": "2026-01-01T00:00:00\0"}, fields(date_created=NO_TIME)),
        (
            "/lead/",
            {"addresses": [{"city": "\0"}]},
            fields(addresses=entries(_0=fields(city=NO_NULLS))),
        ),
        ("/contact/", {"lead_id": "lead_\0"}, fields(lead=NO_OBJECT)),
        ("/contact/", {"timezone": "Europe/London\0"}, fields(timezone=NO_NULLS)),
        (
            "/contact/",
            {"emails": [{"email": "a@b.example\0"}]},
            fields(emails=entries(_0=fields(email=NO_NULLS))),
        ),
        (
            "/contact/",
            {"phones": [{"phone": "1\0", "type": "\0"}]},
            fields(phones=entries(_0=fields(phone=NO_NULLS, type=NO_NULLS))),
        ),
        (
            "/lead/",
            {"_params": {"_fields": "\0"}},
            {"error": "The parameters must not contain null characters."},
        ),
    ],
)
def test_null_characters_are_refused_everywhere(
    refuse: Refuse, path: str, sent: dict[str, Any], body: dict[str, Any]
) -> None:
    same(refuse("POST", path, sent), 400, body)


@pytest.mark.parametrize("name", ["lead_id", "lead_id__in", "_fields", "_limit", "_order_by", "x"])
def test_null_characters_in_a_query_string_are_refused(refuse: Refuse, name: str) -> None:
    body = {"error": "The query string must not contain null characters."}
    same(refuse("GET", f"/contact/?{name}=a%00b"), 400, body)


def test_a_query_string_with_a_thousand_names_is_refused(refuse: Refuse) -> None:
    body = {"error": "The query string cannot be read."}
    same(refuse("GET", "/contact/?" + "a=b&" * 1001), 400, body)


def test_params_that_are_no_object_are_refused(refuse: Refuse) -> None:
    wrong: list[Any] = [[], "x", 5, None]
    for params in wrong:
        answer = refuse("POST", "/lead/", {"_params": params, "name": "x"})
        same(answer, 400, {"error": "_params must be a dict."})


# What is accepted


def test_of_a_name_that_comes_twice_in_a_body_the_last_counts(api: Api) -> None:
    answer = requests.post(
        f"{api.program.url}/api/v1/lead/?_fields=name",
        data=b'{"name": "first", "name": "last"}',
        auth=(api.key, ""),
        headers={"content-type": "application/json"},
        timeout=30,
    )
    assert answer.json() == {"name": "last"}


def test_a_body_may_come_in_chunks(api: Api) -> None:
    answer = requests.post(
        f"{api.program.url}/api/v1/lead/",
        data=iter([b'{"na', b'me": "Harb', b'our"}']),
        auth=(api.key, ""),
        headers={"content-type": "application/json"},
        timeout=30,
    )
    assert answer.json()["name"] == "Harbour"


@pytest.mark.parametrize(
    "content_type",
    ["application/json; charset=utf-8", "APPLICATION/JSON", "application/vnd.api+json"],
)
def test_json_may_be_named_in_several_ways(api: Api, content_type: str) -> None:
    answer = requests.post(
        f"{api.program.url}/api/v1/lead/",
        data=b"{}",
        auth=(api.key, ""),
        headers={"content-type": content_type},
        timeout=30,
    )
    assert answer.status_code == 200


def test_a_get_and_a_delete_may_name_a_content_type_without_a_body(
    api: Api, lead: dict[str, Any]
) -> None:
    json_api = Api(api.program, api.key, api.user_id, {"content-type": "application/json"})
    assert json_api.get(f"/lead/{lead['id']}/") == lead
    json_api.delete(f"/lead/{lead['id']}/")
    assert api.get("/lead/")["data"] == []


def test_unknown_and_unwritable_names_are_ignored(api: Api) -> None:
    made = api.post(
        "/lead/",
        {
            "id": "lead_mine",
            "name": "Harbour Tools",
            "nonsense": {"a\0": [10**40, "\U0001f600"]},
            "display_name": 5,
            "updated_by": "user_unknown",
            "date_updated": "never",
            "organization_id": "orga_other",
            "tasks": "none",
        },
    )
    assert made["id"] != "lead_mine"
    assert made["updated_by"] == api.user_id
    back = api.put(f"/lead/{made['id']}/", made)
    assert back == made


def test_null_clears_what_may_be_empty(api: Api, lead: dict[str, Any]) -> None:
    sent = {"name": "x", "title": "x", "timezone": "Europe/London", "urls": [{"url": "a.example"}]}
    path = f"/contact/{lead['contact_ids'][0]}/"
    api.put(path, sent)
    cleared = api.put(path, dict.fromkeys([*sent, "emails", "phones"]))
    shown = {key: cleared[key] for key in (*sent, "emails", "phones")}
    assert shown == {
        "name": "",
        "title": "",
        "timezone": None,
        "urls": [],
        "emails": [],
        "phones": [],
    }
