"""The conventions that hold for every resource: paths, parameters, pages, headers, documents."""

import asyncio
import html
import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest
import requests
from harness import (
    SECRET_KEY,
    Api,
    Organization,
    Program,
    document,
    make_organization,
    operations,
    routes,
    rows_of,
    serve,
    sign_in_operations,
)
from schemathesis.specs.openapi import definitions
from starlette.routing import Route

from clinch.crm.leads import Lead
from clinch.identity.credentials import Authenticator
from clinch.outbound.guard import Guard
from clinch.outbound.http import Client
from clinch.program import application, declarations, gateway
from clinch.server.pages import pages
from clinch.server.rate_limit import RateLimit
from clinch.vault.vault import Vault

# How the official client reads the header of a 429; it matches at the start.
OFFICIAL_RATE_LIMIT = re.compile(r"limit=(\d+), remaining=(\d+), reset=(\d+)")

NOT_FOUND = (
    "The requested URL was not found on the server. If you entered the URL manually please check"
    " your spelling and try again."
)


@pytest.fixture(scope="module")
def slow_organization(cluster: str) -> Iterator[Organization]:
    """An organization of a server where a key may make five requests a second."""
    with serve(cluster, declarations, rate_limit=5) as program:
        yield make_organization(program)


@pytest.fixture(scope="module")
def without_database() -> Iterator[Program]:
    """A server whose database is gone."""
    with serve("postgresql://nobody@127.0.0.1:1/nothing", declarations) as program:
        yield program


def send(api: Api, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
    """A request that follows no redirect; a word of a header is joined with `_` here."""
    return requests.request(
        method,
        f"{api.program.url}{path}",
        auth=(api.key, ""),
        json=body,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        allow_redirects=False,
        timeout=30,
    )


FOREIGN = {
    "created_by": "user_elsewhere",
    "updated_by": "user_elsewhere",
    "date_created": "2020-01-02T03:04:05",
    "date_updated": "2020-01-02T03:04:05",
}
"""What a copy of an object of another organization brings along."""


def make_lead(api: Api, **fields: Any) -> dict[str, Any]:
    made: dict[str, Any] = api.post("/lead/", {"name": "Harbour Tools", **fields})
    return made


# Paths


FORMS = ["/api/v1/{}/", "/api/v1/{}", "/api/v1//{}/", "/api//v1/{}//", "//api/v1///{}"]


@pytest.mark.parametrize("form", FORMS)
def test_a_path_means_the_same_with_any_number_of_slashes(api: Api, form: str) -> None:
    lead = make_lead(api)
    one = form.format(f"lead/{lead['id']}")
    assert send(api, "GET", one).json() == lead
    listed = send(api, "GET", form.format("lead"))
    assert (listed.status_code, listed.json()["data"]) == (200, [lead])
    made = send(api, "POST", form.format("lead"), {"name": "North Foods"})
    assert (made.status_code, made.json()["name"]) == (200, "North Foods")
    changed = send(api, "PUT", one, {"name": "South Foods"})
    assert (changed.status_code, changed.json()["name"]) == (200, "South Foods")
    deleted = send(api, "DELETE", one)
    assert (deleted.status_code, deleted.text) == (200, "{}")
    assert [left["id"] for left in api.get("/lead/")["data"]] == [made.json()["id"]]


@pytest.mark.parametrize("form", FORMS)
def test_a_path_of_several_words_means_the_same_with_any_number_of_slashes(
    api: Api, form: str
) -> None:
    labels = [
        status["label"] for status in send(api, "GET", form.format("status//lead")).json()["data"]
    ]
    assert labels[:2] == ["Potential", "Bad Fit"]


def test_a_segment_is_decoded_once(api: Api) -> None:
    lead = make_lead(api)
    hidden = lead["id"].replace("_", "%5F")
    twice = lead["id"].replace("_", "%255F")
    assert send(api, "GET", f"/api/v1/lead/{hidden}/").json() == lead
    assert send(api, "GET", f"/api/v1/lead/{twice}/").status_code == 404


# Parameters in the body, and methods in a header


def test_a_list_can_be_asked_for_with_post_and_params(api: Api) -> None:
    lead, other = make_lead(api, contacts=[{"name": "Ada"}]), make_lead(api, contacts=[{}])
    body = {"_params": {"lead_id": lead["id"], "_fields": ["id", "lead_id"], "_limit": 5}}
    answer = send(api, "POST", "/api/v1/contact/", body, x_http_method_override="GET")
    assert answer.json() == {
        "data": [{"id": lead["contact_ids"][0], "lead_id": lead["id"]}],
        "has_more": False,
    }
    assert other["contact_ids"]


def test_params_replace_the_query_string(api: Api) -> None:
    make_lead(api)
    path = "/api/v1/lead/?_fields=id&_limit=0"
    answer = send(api, "POST", path, {"_params": {"_fields": "name"}}, x_http_method_override="GET")
    assert answer.json()["data"] == [{"name": "Harbour Tools"}]
    without = send(api, "POST", path, {}, x_http_method_override="GET")
    assert without.json()["data"] == []


def test_what_is_only_tried_is_said_in_either_place(api: Api) -> None:
    body = {"_params": {"_fields": "name"}, "name": "North Foods"}
    answer = send(api, "POST", "/api/v1/lead/?_dry_run=true", body)
    assert (answer.status_code, answer.json()) == (200, {"name": "North Foods"})
    assert api.get("/lead/")["data"] == []


def test_params_shape_the_answer_of_an_ordinary_post_and_are_not_stored(api: Api) -> None:
    body = {"name": "Harbour Tools", "_params": {"_fields": "name,url"}}
    answer = send(api, "POST", "/api/v1/lead/?_fields=id", body)
    assert answer.json() == {"name": "Harbour Tools", "url": None}


def test_an_override_needs_no_body_where_the_method_needs_none(api: Api) -> None:
    lead = make_lead(api)
    path = f"{api.program.url}/api/v1/lead/{lead['id']}/"
    for method, expected in (("GET", lead), ("delete", {})):
        answer = requests.post(
            path, auth=(api.key, ""), headers={"X-HTTP-Method-Override": method}, timeout=30
        )
        assert answer.json() == expected
    assert api("GET", f"/lead/{lead['id']}/").status_code == 404


def test_put_can_be_sent_as_post(api: Api) -> None:
    lead = make_lead(api)
    path = f"/api/v1/lead/{lead['id']}"
    answer = send(api, "POST", path, {"name": "North Foods"}, x_http_method_override="PUT")
    assert (answer.status_code, answer.json()["name"]) == (200, "North Foods")


def test_head_is_answered_as_get_without_a_body(api: Api) -> None:
    lead = make_lead(api)
    for path in ("/lead/", f"/lead/{lead['id']}/", "/me/"):
        got, head = api("GET", path), api("HEAD", path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == got.headers["content-length"]
    assert api("HEAD", "/lead/lead_none/").status_code == 404
    assert api("HEAD", "/lead/merge/").headers["allow"] == "POST"
    assert api("DELETE", "/lead/").headers["allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_only_a_post_can_be_overridden(api: Api, method: str) -> None:
    lead = make_lead(api)
    override = "GET" if method == "DELETE" else "DELETE"
    path = f"/api/v1/lead/{lead['id']}/"
    answer = send(api, method, path, {}, x_http_method_override=override)
    assert answer.status_code == 200
    assert (api("GET", f"/lead/{lead['id']}/").status_code == 404) is (method == "DELETE")


def test_an_unknown_method_in_the_header_is_refused(api: Api) -> None:
    answer = send(api, "POST", "/api/v1/lead/", {"name": "x"}, x_http_method_override="PATCH")
    assert answer.status_code == 405
    assert api.get("/lead/")["total_results"] == 0


# Fields


def test_fields_are_picked_on_lists_gets_posts_and_puts(api: Api) -> None:
    picked = {"_fields": "name,nonsense,url"}
    made = api.post("/lead/", {"name": "Harbour Tools"}, **picked)
    assert made == {"name": "Harbour Tools", "url": None}
    [listed] = api.get("/lead/", **picked)["data"]
    assert listed == made
    [lead] = api.get("/lead/")["data"]
    assert api.get(f"/lead/{lead['id']}/", **picked) == made
    assert api.put(f"/lead/{lead['id']}/", {"url": "a.example"}, **picked) == {
        "name": "Harbour Tools",
        "url": "http://a.example",
    }
    assert api.get("/me/", _fields="first_name,nonsense") == {"first_name": "Sam"}


def test_fields_that_name_nothing_known_answer_nothing(api: Api) -> None:
    lead = make_lead(api)
    assert api.get(f"/lead/{lead['id']}/", _fields="nonsense") == {}
    assert api.get("/lead/", _fields="nonsense")["data"] == [{}]


def test_all_fields_include_the_optional_ones(api: Api) -> None:
    lead = make_lead(api)
    assert "primary_email" not in lead
    everything = api.get(f"/lead/{lead['id']}/", _fields="_all")
    optional = {key for key, field in Lead.fields.items() if field.optional}
    assert everything == lead | {key: everything[key] for key in optional}
    assert everything["primary_email"] is None
    assert everything["num_calls"] == 0


def test_fields_may_be_named_with_spaces_or_one_by_one(api: Api) -> None:
    lead = make_lead(api, name="Harbour Tools")
    for fields in ("id , name", ["id", "name"]):
        picked = api.get(f"/lead/{lead['id']}/", _fields=fields)
        assert picked == {"id": lead["id"], "name": "Harbour Tools"}


def test_an_empty_choice_of_fields_is_none(api: Api) -> None:
    lead = make_lead(api)
    assert api.get(f"/lead/{lead['id']}/", _fields="") == lead


# Pages


def test_pages_follow_each_other_without_gaps(api: Api) -> None:
    ids = [make_lead(api, name=str(number))["id"] for number in range(5)]
    found: list[str] = []
    for skip, more in ((0, True), (2, True), (4, False)):
        page = api.get("/lead/", _limit=2, _skip=skip, _fields="id")
        assert (page["has_more"], page["total_results"]) == (more, 5)
        found += [lead["id"] for lead in page["data"]]
    assert sorted(found) == sorted(ids)
    assert api.get("/lead/", _limit=5)["has_more"] is False
    assert api.get("/lead/", _skip=5) == {"data": [], "has_more": False, "total_results": 5}
    assert api.get("/lead/", _skip=250_000)["data"] == []


def test_a_limit_of_zero_counts(api: Api) -> None:
    make_lead(api)
    assert api.get("/lead/", _limit=0) == {"data": [], "has_more": True, "total_results": 1}


def test_only_leads_have_a_total(api: Api) -> None:
    for path in ("/contact/", "/user/", "/status/lead/", "/api_key/"):
        assert set(api.get(path)) == {"data", "has_more"}


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        *(("lead", 200), ("contact", 200), ("opportunity", 250), ("task", 1000), ("user", 1000)),
        *(("status/lead", 200), ("status/opportunity", 200), ("activity", 200), ("event", 50)),
        *(("custom_field/lead", 1000), ("custom_field/shared", 1000), ("custom_activity", 1000)),
    ],
)
def test_a_list_takes_the_limits_that_clients_ask_for(api: Api, path: str, limit: int) -> None:
    assert api("GET", f"/{path}/", _limit=limit).status_code == 200
    assert api("GET", f"/{path}/", _limit=limit + 1).status_code == 400


@pytest.mark.parametrize(
    ("parameter", "value", "text"),
    [
        (
            "_limit",
            "201",
            "The limit you set is larger than the maximum limit for this resource"
            " (max_limit = 200).",
        ),
        (
            "_limit",
            "9" * 400,
            "The limit you set is larger than the maximum limit for this resource"
            " (max_limit = 200).",
        ),
        (
            "_skip",
            "250001",
            "The skip you set is larger than the maximum skip for this resource"
            " (max_skip = 250000).\nPlease refine your search query.",
        ),
        ("_limit", "abc", '_limit must be an integer (got "abc" instead).'),
        ("_skip", "abc", '_skip must be an integer (got "abc" instead).'),
        ("_limit", "1.5", '_limit must be an integer (got "1.5" instead).'),
        ("_limit", "-1", '_limit must be a non-negative integer (got "-1" instead).'),
        ("_skip", "-1", '_skip must be a non-negative integer (got "-1" instead).'),
    ],
)
def test_a_bad_limit_or_skip_is_refused_in_the_known_words(
    api: Api, parameter: str, value: str, text: str
) -> None:
    answer = api("GET", "/lead/", **{parameter: value})
    assert (answer.status_code, answer.json()) == (400, {"error": text})
    in_body = send(
        api, "POST", "/api/v1/lead/", {"_params": {parameter: value}}, x_http_method_override="GET"
    )
    assert (in_body.status_code, in_body.json()) == (400, {"error": text})


# Order and filters


def test_a_filter_that_comes_several_times_is_a_list(api: Api) -> None:
    first, second, _ = (make_lead(api)["id"] for _ in range(3))
    url = f"{api.program.url}/api/v1/contact/?lead_id={first}&lead_id={second}"
    for lead in (first, second):
        api.post("/contact/", {"lead_id": lead})
    found = requests.get(url, auth=(api.key, ""), timeout=30).json()["data"]
    assert {contact["lead_id"] for contact in found} == {first, second}
    for status in ("Active", "Won", "Lost"):
        api.post("/opportunity/", {"lead_id": first, "status": status})
    for name in ("status_type", "status_type__in"):
        deals = api.get("/opportunity/", **{name: ["active", "won"]})["data"]
        assert {deal["status_type"] for deal in deals} == {"active", "won"}
    for flag in ("true", "false"):
        api.post("/task/", {"lead_id": first, "text": flag, "is_complete": flag == "true"})
    last = api.get("/task/", is_complete=["true", "false"])["data"]
    assert [task["text"] for task in last] == ["false"]


def test_a_time_whose_plus_sign_became_a_space_is_read(api: Api) -> None:
    lead = make_lead(api)
    url = f"{api.program.url}/api/v1/task/?date_created__gt="
    api.post("/task/", {"lead_id": lead["id"], "text": "x"})
    for moment, number in (("2020-01-01T00:00:00+02:00", 1), ("2120-01-01T00:00:00.5+0200", 0)):
        found = requests.get(url + moment, auth=(api.key, ""), timeout=30)
        assert len(found.json()["data"]) == number


def test_known_orders_hold_and_others_are_passed_over(api: Api) -> None:
    for date in ("2026-01-02", "2026-01-01", "2026-01-03"):
        api.post("/contact/", {"name": date, "date_created": date})

    def names(order: str) -> list[str]:
        contacts = api.get("/contact/", _order_by=order)["data"]
        return [contact["name"] for contact in contacts]

    ascending = ["2026-01-01", "2026-01-02", "2026-01-03"]
    assert names("date_created") == ascending
    assert names("-date_created") == ascending[::-1]
    for other in ("name", "-name", "id; drop table lead", "", "--date_created"):
        assert names(other) == ascending[::-1]


def test_contacts_are_filtered_by_their_leads(api: Api) -> None:
    one, two, three = (make_lead(api, contacts=[{"name": n}]) for n in ("Ada", "Bo", "Cy"))

    def names(**filters: str) -> list[str]:
        return sorted(contact["name"] for contact in api.get("/contact/", **filters)["data"])

    assert names(lead_id=one["id"]) == ["Ada"]
    assert names(lead_id__in=f"{one['id']},{three['id']}") == ["Ada", "Cy"]
    assert names(lead_id__in=two["id"]) == ["Bo"]
    assert names(lead_id="lead_unknown") == names(lead_id="") == names(lead_id__in="") == []
    assert names(nonsense="x", name="Ada", lead_id__gt="z") == ["Ada", "Bo", "Cy"]


# Rate limits


def test_every_answer_says_what_is_left_of_the_limit(slow_organization: Organization) -> None:
    api = slow_organization.member("user")
    answer = api("GET", "/me/")
    told = OFFICIAL_RATE_LIMIT.match(answer.headers["RateLimit"])
    assert told
    assert told.groups() == ("5", "4", "1")
    assert answer.headers["ratelimit-limit"] == "5"
    assert answer.headers["ratelimit-remaining"] == "4"
    assert answer.headers["ratelimit-reset"] == "1"
    refused = api("GET", "/nothing/")
    assert refused.status_code == 404
    assert OFFICIAL_RATE_LIMIT.match(refused.headers["RateLimit"])


def test_a_key_over_its_limit_is_told_so_in_words_all_clients_read(
    slow_organization: Organization,
) -> None:
    api, other = slow_organization.member("user"), slow_organization.member("user")
    # The window is a second: of so many requests some fall into one that is used up.
    answers = [api("GET", "/me/") for _ in range(60)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert {answer.status_code for answer in answers} == {200, 429}
    answer = refused[0]
    told = OFFICIAL_RATE_LIMIT.match(answer.headers["RateLimit"])
    assert told
    assert told.groups() == ("5", "0", "1")
    assert answer.headers["retry-after"] == "1"
    body = answer.json()
    for level in (body, body["error"]):
        assert float(level["rate_reset"]) == 1.0
        assert level["rate_limit"] == 5
        assert level["rate_window"] == 1
        assert level["rate_limit_type"] == "key"
        assert isinstance(level["message"], str)
        assert isinstance(level["rate_endpoint_group"], str)
    assert other("GET", "/me/").status_code == 200


# Request ids, health, the front page, the document


def test_every_answer_has_a_request_id_of_its_own(api: Api) -> None:
    answers = [api("GET", path) for path in ("/me/", "/lead/", "/nothing/", "/lead/lead_x/")]
    answers.append(requests.get(f"{api.program.url}/api/v1/me/", timeout=30))
    ids = [answer.headers["x-request-id"] for answer in answers]
    assert all(re.fullmatch(r"req_[0-9A-Za-z]{22}", id) for id in ids)
    assert len(set(ids)) == len(ids)


def test_the_events_of_a_request_carry_its_id(organization: Organization) -> None:
    api = organization.admin
    answer = api("POST", "/lead/", {"name": "Harbour Tools"})

    async def found() -> Any:
        async with organization.program.store.reading(organization.system) as transaction:
            return await transaction.value(
                "select request_id from event where organization_id = $1 and object_id = $2",
                organization.system.organization_id,
                answer.json()["id"],
            )

    assert organization.program.run(found()) == answer.headers["x-request-id"]


def test_health_and_readiness_need_no_key(program: Program) -> None:
    for path in ("/healthz", "/readyz"):
        answer = requests.get(program.url + path, timeout=30)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_without_a_database_the_server_is_healthy_but_not_ready(without_database: Program) -> None:
    assert requests.get(f"{without_database.url}/healthz", timeout=30).status_code == 200
    ready = requests.get(f"{without_database.url}/readyz", timeout=30)
    assert ready.status_code == 503
    assert "database" in ready.json()["status"]


def test_without_a_database_a_request_may_be_tried_again(without_database: Program) -> None:
    url, body = without_database.url, {"email": "ada@harbour.example", "password": "x"}
    for answer in (
        requests.get(f"{url}/api/v1/me/", auth=("api_x.y", ""), timeout=30),
        requests.post(f"{url}/session/", json=body, timeout=30),
    ):
        assert answer.status_code == 503
        assert answer.json() == {"error": "The server is busy. Please try again."}
        assert answer.headers["retry-after"] == "1"


def test_where_the_disk_is_full_a_write_may_be_tried_again(own_database: str) -> None:
    full = "begin raise exception 'could not extend file' using errcode = 'disk_full'; end"

    async def fill() -> None:
        connection = await asyncpg.connect(own_database)
        try:
            await connection.execute(
                f"create function full_disk() returns trigger language plpgsql as $${full}$$;"
                " create trigger full_disk before insert on lead execute function full_disk()"
            )
        finally:
            await connection.close()

    with serve(own_database, declarations) as program:
        organization = make_organization(program)
        asyncio.run(fill())
        before = rows_of(organization)
        answer = organization.admin("POST", "/lead/", {"name": "Harbour Tools"})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.json() == {"error": "The server is busy. Please try again."}
        assert rows_of(organization) == before


def test_an_unknown_page_is_refused_as_the_api_does(program: Program) -> None:
    for path in ("/nothing", "/api", "/api/v2/lead/"):
        answer = requests.get(program.url + path, timeout=30)
        assert (answer.status_code, answer.json()) == (404, {"error": NOT_FOUND})
    answer = requests.post(f"{program.url}/healthz", timeout=30)
    assert answer.status_code == 405
    assert sorted(answer.headers["allow"].split(", ")) == ["GET", "HEAD"]
    assert answer.json() == {"error": "The method is not allowed for the requested URL."}


def test_the_front_page_says_what_runs_and_its_commands_work(api: Api) -> None:
    url = api.program.url
    page = requests.get(url, timeout=30)
    assert page.headers["content-type"].startswith("text/html")
    assert "<h1>Clinch</h1>" in page.text
    assert f"{url}/api/v1" in page.text
    shown = re.search(r"<pre>(.*?)</pre>", page.text, re.DOTALL)
    assert shown
    script = html.unescape(shown[1])
    assert script.count("curl ") == 3
    ran = subprocess.run(
        ["sh", "-ec", "curl() { command curl -sS --fail -w '\\n' \"$@\"; }\n" + script],
        capture_output=True,
        text=True,
        env={"CLINCH_API_KEY": api.key, "PATH": "/usr/local/bin:/usr/bin:/bin", "NO_PROXY": "*"},
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    me, leads, lead = map(json.loads, re.sub(r"\}, ?\n \{", "}, {", ran.stdout).splitlines())
    assert me["id"] == api.user_id
    assert leads["data"] == []
    assert api.get(f"/lead/{lead['id']}/")["name"] == "Harbour Tools"
    for path in re.findall(r'<a href="([^"]+)"', page.text):
        assert requests.get(url + path, timeout=30).status_code == 200


def test_the_openapi_document_is_valid_and_has_every_route(program: Program) -> None:
    document = requests.get(f"{program.url}/api/openapi.json", timeout=30).json()
    assert document["openapi"].startswith("3.1")
    definitions.OPENAPI_31_VALIDATOR.validate(document)
    routes = {(method, path) for path, methods in document["paths"].items() for method in methods}
    assert ("get", "/me/") in routes
    assert {("get", "/lead/"), ("post", "/lead/")} <= routes
    assert {(method, "/lead/{id}/") for method in ("get", "put", "delete")} <= routes
    references = set(re.findall(r'"\$ref": ?"#/components/(\w+)/(\w+)"', json.dumps(document)))
    for kind, name in references:
        assert name in document["components"][kind]


def test_the_document_tells_the_limits_of_what_is_sent(api: Api) -> None:
    schemas = document()["components"]["schemas"]
    sent = {noun: schemas[f"{noun}_input"]["properties"] for noun in ("contact", "opportunity")}
    title, emails = sent["contact"]["title"], sent["contact"]["emails"]
    assert (title["maxLength"], emails["maxItems"]) == (1000, 100)
    assert emails["items"]["properties"]["email"]["maxLength"] == 254
    confidence = sent["opportunity"]["confidence"]
    assert (confidence["minimum"], confidence["maximum"]) == (0, 100)
    assert sent["opportunity"]["note"]["maxLength"] == 100_000
    assert "maxLength" not in sent["opportunity"]["value_period"]
    assert not {"maxLength", "minimum"} & schemas["contact"]["properties"]["title"].keys()
    assert api.post("/contact/", {"title": "x" * title["maxLength"]})["title"]
    refused = api("POST", "/contact/", {"title": "x" * (title["maxLength"] + 1)})
    assert list(refused.json()["field-errors"]) == ["title"]
    page = requests.get(f"{api.program.url}/docs/api/contact", timeout=30).text
    assert "string (at most 1000 characters)" in page


def test_every_operation_is_in_the_document_and_no_other() -> None:
    described = {(method, re.sub(r"\{\w+\}", "{}", path)) for method, path in operations()}
    routed = {(route.method, f"/{route.path}/") for route in routes()}
    assert described <= routed
    # The paths that only older clients know.
    old = {path for _, path in routed - described}
    assert all("custom_fields" in path or path.endswith("/custom_activity_type/") for path in old)
    names = [one["operationId"] for ways in document()["paths"].values() for one in ways.values()]
    assert len(set(names)) == len(names)


def test_what_is_beside_the_api_is_in_the_document_or_for_people(program: Program) -> None:
    """Signing in is described; the rest is pages, health, and where files are sent to."""
    described = {
        (method.upper(), path)
        for path, methods in document()["paths"].items()
        for method, one in methods.items()
        if one.get("servers") == [{"url": "/"}]
    }
    signing_in = {(one.method, one.path) for one in sign_in_operations()}
    assert described == {(method, path) for method, path in signing_in if path.endswith("/")}
    assert {(method, path.rstrip("/")) for method, path in described} < signing_in
    store = program.store
    vault, authenticator = Vault(SECRET_KEY), Authenticator(store.database)
    app = application(store, vault)
    connecting, _ = gateway(
        store, vault, authenticator, document(), Client(Guard()), RateLimit(1), lambda: app
    )
    everything = pages(store, vault, authenticator, connecting, [], {}, _ready)
    others = {route.path.rstrip("/") for route in everything.routes if isinstance(route, Route)}
    assert others == {
        "",
        "/healthz",
        "/readyz",
        "/api/openapi.json",
        "/docs",
        "/docs/{rest:path}",
        "/invitation/{link}",
        "/password/{link}",
        "/go/upload",
        "/connect",
        "/connect/callback",
        "/connect/{ticket}",
        "/cli",
        "/cli.tgz",
        "/llms.txt",
        "/skills/close/SKILL.md",
        "/skills/close/SKILL.zh-CN.md",
        "/org-workspaces/{organization}/access-token",
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/mcp",
        *(
            f"{prefix}/{name}"
            for prefix in ("/oauth", "/oauth2")
            for name in ("authorize", "code", "token", "revoke", "register")
        ),
    }


async def _ready() -> bool:
    return True


@pytest.mark.parametrize(
    ("path", "body"),
    [
        *((f"/custom_field/{kind}/", {}) for kind in ("lead", "contact", "opportunity", "shared")),
        ("/custom_field/activity/", {"custom_activity_type_id": "TYPE"}),
        ("/custom_activity/", {}),
        ("/custom_object_type/", {"name_plural": "Ones"}),
        ("/custom_object/", {"custom_object_type_id": "KIND", "lead_id": "LEAD"}),
        ("/pipeline/", {"statuses": [{"label": "Step", "type": "won", **FOREIGN}]}),
        *((f"/status/{kind}/", {}) for kind in ("lead", "opportunity")),
        ("/integration_link/", {"url": "https://search.example", "type": "lead"}),
        ("/role/", {"permissions": ["view_all_leads"]}),
        ("/group/", {}),
    ],
)
def test_a_copy_of_what_is_elsewhere_is_made_here_and_now(
    api: Api, path: str, body: dict[str, Any]
) -> None:
    ids = {
        "TYPE": lambda: api.post("/custom_activity/", {"name": "Signup"})["id"],
        "KIND": lambda: api.post("/custom_object_type/", {"name": "A", "name_plural": "B"})["id"],
        "LEAD": lambda: make_lead(api)["id"],
    }
    own = {key: ids[value]() if str(value) in ids else value for key, value in body.items()}
    word = "won" if path == "/status/opportunity/" else "text"
    made = api.post(path, {"name": "One", "label": "One", "type": word, **FOREIGN, **own})
    [event] = api.get("/event/", object_id=made["id"], action="created")["data"]
    for state in (made, event["data"]):
        assert "created_by" not in state or state["created_by"] == api.user_id
        assert state.get("date_created", "2026") > "2026"


@pytest.mark.parametrize(
    "path", ["lead", "contact", "opportunity", "task", "account", "activity/note"]
)
def test_what_is_brought_from_elsewhere_is_as_old_as_it_says(
    organization: Organization, path: str
) -> None:
    api, rep = organization.admin, organization.member("user")
    said = {"created_by": rep.user_id, "date_created": "2020-01-02T03:04:05+00:00"}
    made = api.post(
        f"/{path}/", {"lead_id": make_lead(api)["id"], "text": "x", "name": "x", **said}
    )
    assert (made["created_by"], made["date_created"][:19]) == (rep.user_id, "2020-01-02T03:04:05")
    assert (made["updated_by"], made["date_updated"][:4] > "2020") == (api.user_id, True)
