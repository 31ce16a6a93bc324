"""The SDK's `connect` as a product's page calls it, in a real browser: what it comes to."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import node
import pytest
from chromium.browser import chromium
from gateway.connectors.standing import serving
from harness import Organization, Program, make_organization
from playwright.sync_api import Browser, Page, Route
from server.gateway.desk import Desk, signed_desk
from server.gateway.oauth_app import Yard
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route as PageRoute

SHOWN = """<!doctype html><title>A product</title>
<meta name="referrer" content="{referrer}">
<script src="/sdk.js"></script>
<script>
const told = []
let begin
const given = (client, options) => {{
  begin = () => new MembraneClient(client).connect(options).then(
    (connection) => told.push({{ connection }}),
    (error) => told.push({{ message: error.message, data: error.data }}),
  )
}}
addEventListener('message', (event) => told.push({{ heard: event.data, from: event.origin }}))
</script>
<button onclick="begin()">Connect</button>"""


@dataclass
class Product:
    """A product's page on another site, which loads the SDK as it is published."""

    url: str
    browser: Browser

    @contextmanager
    def open(self, desk: Desk, referrer: str = "origin", **options: Any) -> Iterator[Page]:
        context = self.browser.new_context()
        context.set_default_timeout(20_000)
        page = context.new_page()
        page.goto(f"{self.url}/?referrer={referrer}")
        client = {"token": desk.token, "apiUri": desk.url}
        page.evaluate("([client, options]) => given(client, options)", [client, options])
        yield page
        context.close()


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    async def sdk(request: Request) -> Response:
        place = node.installed(node.SDK) / "node_modules" / "@membranehq" / "sdk"
        return FileResponse(place / "dist" / "bundle.js")

    async def back(request: Request) -> Response:
        return HTMLResponse("<title>Back</title>")

    async def shown(request: Request) -> Response:
        return HTMLResponse(SHOWN.format(referrer=request.query_params["referrer"]))

    routes = [PageRoute("/", shown), PageRoute("/sdk.js", sdk), PageRoute("/back", back)]
    app = Starlette(routes=routes)
    with serving(app) as url, chromium() as browser:
        # Another name of this machine is another site to a browser.
        yield Product(url.replace("127.0.0.1", "localhost"), browser)


def begin(page: Page) -> Page:
    """The window that the SDK opens."""
    with page.expect_popup() as opened:
        page.get_by_role("button").click()
    popup = opened.value
    popup.wait_for_load_state()
    return popup


def result(page: Page) -> Any:
    """What the promise comes to."""
    page.wait_for_function("told.some((one) => !one.heard)")
    return page.evaluate("told.find((one) => !one.heard)")


def heard(page: Page) -> list[Any]:
    """The messages that the page got from a window."""
    found: list[Any] = page.evaluate("told.filter((one) => one.heard)")
    return found


def type_key(page: Page, key: str) -> None:
    page.fill("[name=apiKey]", key)
    page.get_by_role("button").click()


@pytest.fixture
def customer(organization: Organization) -> Desk:
    return signed_desk(organization, tenantKey="acme", name="Acme & <b>Sons</b>")


BY_KEY: dict[str, Any] = {"integrationKey": "close", "authOptionKey": "api-key"}


def block(route: Route) -> None:
    route.abort()


@pytest.mark.parametrize("way", ["both", "message", "events"])
def test_a_key_typed_on_our_page(
    organization: Organization, customer: Desk, product: Product, way: str
) -> None:
    """Whichever of the two ways the message comes: the SDK takes the first."""
    referrer = "no-referrer" if way == "events" else "origin"
    with product.open(customer, referrer, **BY_KEY, name="Their CRM") as page:
        if way == "message":
            page.route("**/sse/**", block)
        popup = begin(page)
        assert "Acme & <b>Sons</b>" in popup.inner_text("main")
        asks = product.url.removeprefix("http://") in popup.inner_text("main")
        assert asks == (way != "events")
        type_key(popup, "api_wrong")
        assert popup.get_by_role("alert").is_visible()
        type_key(popup, organization.admin.key)
        told = result(page)["connection"]
        [connection] = customer.get("/connections")["items"]
        assert told == connection
        assert (told["name"], told["state"]) == ("Their CRM", "READY")
        if way == "events":
            assert heard(page) == []
            assert "is connected" in popup.inner_text("main")
            return
        [message] = heard(page)
        assert message["from"] == customer.url
        assert message["heard"]["connection"] == connection
        if not popup.is_closed():
            popup.wait_for_event("close")
    assert organization.admin.key not in json.dumps(told)


def test_what_is_sent_along_needs_no_person(
    organization: Organization, customer: Desk, product: Product
) -> None:
    sent: Any = {"input": {"apiKey": organization.admin.key}, "connectionKey": "crm"}
    with product.open(customer, **BY_KEY, **sent) as page:
        begin(page)
        told = result(page)["connection"]
    assert (told["state"], told["key"]) == ("READY", "crm")
    assert customer.get("/connections/crm")["id"] == told["id"]


def test_what_the_app_does_not_take_is_a_failure(customer: Desk, product: Product) -> None:
    with product.open(customer, **BY_KEY, input={"apiKey": "api_wrong"}) as page:
        popup = begin(page)
        told = result(page)
        assert popup.get_by_role("alert").inner_text() == told["message"]
    assert told["data"]["type"] == "bad_request"
    assert "does not take this" in told["message"]
    assert customer.get("/connections")["items"] == []


def test_a_window_that_is_closed_connects_nothing(customer: Desk, product: Product) -> None:
    with product.open(customer, **BY_KEY) as page:
        popup = begin(page)
        # The window is not taken for closed while it is open.
        page.wait_for_timeout(2500)
        assert page.evaluate("told") == []
        popup.close()
        assert result(page)["connection"] is None
    assert [one["connected"] for one in customer.get("/connections")["items"]] == [False]


@pytest.mark.parametrize("end", ["allowed", "denied"])
@pytest.mark.parametrize("same_window", [False, True], ids=["popup", "redirect"])
def test_an_app_with_a_login_of_its_own(
    yard: Yard, product: Product, end: str, same_window: bool
) -> None:
    desk = yard.customer()
    yard.provider.denies = end == "denied"
    back = f"{product.url}/back?a=1"
    options: Any = {"sameWindow": True, "redirectUri": back} if same_window else {}
    with product.open(desk, integrationKey="yard", **options) as page:
        shown = page
        if same_window:
            with page.expect_navigation(url="**/connect/*"):
                page.get_by_role("button").click()
        else:
            shown = begin(page)
        assert yard.provider.grants == []
        shown.get_by_role("button", name="Go to Yard").click()
        if end == "allowed":
            shown.click("#allow")
        [one] = desk.get("/connections")["items"]
        if same_window:
            page.wait_for_url("**/back?**")
            told = page.evaluate("Object.fromEntries(new URLSearchParams(location.search))")
            assert told.pop("a") == "1"
            if end == "allowed":
                assert told == {"connectionId": one["id"]}
                return
            assert told["error"] == "Yard is not connected. They said no."
            failure = json.loads(told["errorData"])
            assert (failure["type"], failure["message"]) == ("connection", told["error"])
            assert told["connectionId"] == one["id"]
            return
        told = result(page)
    if end == "allowed":
        [one] = desk.get("/connections")["items"]
        assert told == {"connection": one}
        assert one["state"] == "READY"
        assert desk.ask("GET", f"/connections/{one['id']}/proxy/me").json()["name"] == "Rosa Lind"
    else:
        assert told["message"] == "Yard is not connected. They said no."
        assert (told["data"]["type"], told["data"]["data"]) == (
            "connection",
            {"connectionId": one["id"]},
        )


def test_a_connection_is_made_anew_in_place(
    organization: Organization, customer: Desk, product: Product
) -> None:
    asked = {"connectorKey": "close", "authOptionKey": "api-key"}
    one = customer.ask("POST", "/connections", asked).json()
    with product.open(customer, connectionId=one["id"]) as page:
        type_key(begin(page), organization.admin.key)
        assert result(page)["connection"]["id"] == one["id"]
    assert customer.get(f"/connections/{one['id']}")["state"] == "READY"


def test_nobody_connects_for_another(
    organization: Organization, program: Program, customer: Desk, product: Product
) -> None:
    asked = {"connectorKey": "close", "authOptionKey": "api-key"}
    one = customer.ask("POST", "/connections", asked).json()
    for other in (
        signed_desk(organization, tenantKey="beta"),
        signed_desk(make_organization(program), tenantKey="acme"),
    ):
        with product.open(other, connectionId=one["id"], input={"apiKey": "api_1"}) as page:
            page.get_by_role("button").click()
            told = result(page)
        assert told["data"]["key"] == "not_found"
    assert customer.get(f"/connections/{one['id']}")["state"] == "CLIENT_ACTION_REQUIRED"
