"""Finding an app by id, key, address and words; each organization's own, beside those shipped."""

from datetime import UTC, datetime

import msgspec
import pytest
from harness import Organization, make_organization

from clinch.gateway.connectors.catalog import Catalog, Catalogs
from clinch.gateway.connectors.close import close
from clinch.gateway.connectors.connector import Connector
from clinch.gateway.connectors.imported import ImportedConnectors
from clinch.gateway.connectors.importing import Imported, Wanted
from clinch.gateway.connectors.shipped import SHIPPED_KEYS, shipped_connectors
from clinch.gateway.errors import AlreadyExists, InvalidRequest, NotFound

NOW = datetime(2026, 3, 1, tzinfo=UTC)
OWN = close({"paths": {}}, "https://crm.example")
CATALOG = Catalog([OWN, *shipped_connectors()])


def keys(found: list[Connector]) -> list[str]:
    return [one.key for one in found]


def renamed(key: str, **changes: object) -> Connector:
    plain = {"name": key.title(), "description": "", "categories": (), "domains": ()}
    return msgspec.structs.replace(OWN, id=f"connector_{key}", key=key, **(plain | changes))


def test_by_id_and_key() -> None:
    assert CATALOG.get("close") is CATALOG.get("connector_close") is OWN
    assert CATALOG.get("Close") is None


@pytest.mark.parametrize(
    "address",
    ["close.com", "https://app.close.com/lead/x", "CLOSE.COM.", "api.close.com:443", "close.io"],
)
def test_by_an_address_of_the_app(address: str) -> None:
    assert CATALOG.by_domain(address) is OWN


@pytest.mark.parametrize(
    "address", ["notclose.com", "close.com.evil.example", "com", "", "https://", "http://[::1", "é"]
)
def test_not_by_an_address_of_others(address: str) -> None:
    assert CATALOG.by_domain(address) is None


def test_the_nearest_domain_is_the_app() -> None:
    wide, near = renamed("wide", domains=("a.example",)), renamed("near", domains=("x.a.example",))
    catalog = Catalog([wide, near])
    assert catalog.by_domain("y.x.a.example") is near
    assert catalog.by_domain("y.a.example") is wide


def test_close_is_first_for_its_name() -> None:
    enclosed = renamed("close-io-mirror", name="Close mirror", description="close close close")
    catalog = Catalog([enclosed, OWN])
    for text in ("close", "Close", "close CRM", "clos", "https://app.close.com/"):
        assert catalog.search(text)[0] is OWN, text


def test_words_weigh_by_where_they_are() -> None:
    described = renamed("aa", description="boats for hire")
    sorted_under = renamed("bb", categories=("Boats",))
    at = renamed("cc", domains=("boats.example",))
    called = renamed("dd", name="Our Boats")
    catalog = Catalog([described, sorted_under, at, called])
    assert keys(catalog.search("boats")) == ["dd", "cc", "bb", "aa"]
    assert keys(catalog.search("boats", 2)) == ["dd", "cc"]


def test_an_unknown_app_is_not_found() -> None:
    for text in ("zzzunknown", "qqq.example", "api"):
        assert CATALOG.search(text) == []
    assert CATALOG.search("") == list(CATALOG.connectors)


DOCUMENT = (
    b'{"openapi": "3.1.0", "info": {"title": "Boat Yard"},'
    b' "servers": [{"url": "https://api.boats.example"}],'
    b' "paths": {"/boats": {"get": {"operationId": "listBoats"}}}}'
)


class Desk:
    """One organization's imported connectors and catalog, as a process has them."""

    def __init__(self, organization: Organization) -> None:
        self.tenant = organization.actor().tenant
        self.run = organization.program.run
        database = organization.program.store.database
        self.imported = ImportedConnectors(database, SHIPPED_KEYS)
        self.catalogs = Catalogs([OWN], self.imported)

    def add(self, text: bytes = DOCUMENT, **wanted: str) -> Imported:
        return self.run(  # type: ignore[no-any-return]
            self.imported.add(self.tenant, text, Wanted(**wanted), NOW)  # type: ignore[arg-type]
        )

    def remove(self, id_or_key: str) -> None:
        self.run(self.imported.remove(self.tenant, id_or_key))

    def catalog(self) -> Catalog:
        return self.run(self.catalogs.of(self.tenant))  # type: ignore[no-any-return]


def test_what_is_imported_is_found_in_its_organization_alone(organization: Organization) -> None:
    here = Desk(organization)
    there = Desk(make_organization(organization.program, "Quay Sales"))
    made = here.add()
    assert here.catalog().get("boat-yard") == made.connector
    assert here.catalog().by_domain("api.boats.example") == made.connector
    assert keys(here.catalog().search("boat")) == ["boat-yard"]
    assert keys(list(there.catalog().connectors)) == ["close"]
    with pytest.raises(NotFound):
        there.remove(made.connector.id)
    assert here.catalog().get("boat-yard") == made.connector


def test_a_catalog_follows_what_another_process_does(organization: Organization) -> None:
    one, other = Desk(organization), Desk(organization)
    assert one.catalog() is one.catalog()
    before = one.catalog()
    other.add(key="yard")
    assert one.catalog() is not before
    assert one.catalog().get("yard") is not None
    first = one.catalog().get("yard")
    other.add(key="second")
    assert one.catalog().get("yard") is first  # read once
    other.remove("yard")
    assert keys(list(one.catalog().connectors)) == ["close", "second"]


def test_a_key_is_had_once(organization: Organization) -> None:
    desk = Desk(organization)
    made = desk.add(key="yard")
    with pytest.raises(AlreadyExists):
        desk.add(key="yard", name="Another")
    for key in SHIPPED_KEYS:
        with pytest.raises(AlreadyExists):
            desk.add(key=key)
    assert list(desk.catalog().connectors) == [OWN, made.connector]
    desk.remove(made.connector.id)
    again = desk.add(key="yard", name="Another")
    assert again.connector.id != made.connector.id


@pytest.mark.parametrize("text", [b"", b"{}", b"no", DOCUMENT.replace(b"/boats", b"boats")])
def test_a_bad_document_leaves_nothing(organization: Organization, text: bytes) -> None:
    desk = Desk(organization)
    with pytest.raises(InvalidRequest):
        desk.add(text)
    assert list(desk.catalog().connectors) == [OWN]
