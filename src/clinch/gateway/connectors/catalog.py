"""All apps that can be connected here, and finding one of them."""

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from clinch.db.database import Tenant
from clinch.gateway.connectors.connector import Connector
from clinch.gateway.connectors.imported import ImportedConnectors
from clinch.gateway.errors import NotFound

# How much a word of the search says where it is found; the beginning of a word says half of it.
# The places are those of `_places`, in their order: key, name, domains, categories, description.
_WEIGHTS = (100, 80, 40, 10, 5)
_SHORTEST_BEGINNING = 3

_Places = tuple[frozenset[str], ...]


class Catalog:
    """The connectors, by id and key; of two that are found equally well the earlier goes first."""

    def __init__(self, connectors: Iterable[Connector]) -> None:
        self.connectors = tuple(connectors)
        self._named: dict[str, Connector] = {}
        self._by_domain: dict[str, Connector] = {}
        for one in self.connectors:
            self._named.setdefault(one.id, one)
            self._named.setdefault(one.key, one)
            for domain in one.domains:
                self._by_domain.setdefault(domain, one)
        self._places = [(one, _places(one)) for one in self.connectors]

    def get(self, id_or_key: str) -> Connector | None:
        return self._named.get(id_or_key)

    def named(self, id_or_key: str) -> Connector:
        """The app with an id or key; raises NotFound."""
        found = self.get(id_or_key)
        if found is None:
            raise NotFound(
                "No app has this id or key.", hint="Find one: membrane search WORDS --json"
            )
        return found

    def by_domain(self, address: str) -> Connector | None:
        """The app at a web address or domain: one of its domains, or below one; the nearest."""
        text = address.strip().lower()
        try:
            host = urlsplit(text if "//" in text else f"//{text}").hostname or ""
        except ValueError:
            return None
        parts = host.rstrip(".").split(".")
        for first in range(len(parts)):
            found = self._by_domain.get(".".join(parts[first:]))
            if found is not None:
                return found
        return None

    def search(self, text: str, limit: int = 10) -> list[Connector]:
        """The apps that words or an address find, the best first; all of them without a word."""
        words = _words(text)
        if not words:
            return list(self.connectors[:limit])
        found = [(_score(places, words), one) for one, places in self._places]
        found.sort(key=lambda pair: -pair[0])
        at = self.by_domain(text) if "." in text else None
        good = [one for score, one in found if score and one is not at]
        return [*([at] if at is not None else []), *good][:limit]


class Catalogs:
    """Each organization's catalog: what we ship, and what it has imported."""

    def __init__(self, shipped: Iterable[Connector], imported: ImportedConnectors) -> None:
        self._shipped, self._imported = tuple(shipped), imported
        self._made: dict[str, tuple[list[Connector], Catalog]] = {}

    async def connector(
        self, tenant: Tenant, key: str, imported_id: str | None
    ) -> Connector | None:
        """The connector with a key, of which it was read which one is imported, if any is."""
        shipped = next((one for one in self._shipped if one.key == key), None)
        if shipped is not None or imported_id is None:
            return shipped
        return await self._imported.get(tenant, imported_id)

    async def of(self, tenant: Tenant) -> Catalog:
        """The catalog as it is now: what another process adds or removes is seen at once."""
        imported = await self._imported.of(tenant)
        known = self._made.get(tenant.organization_id)
        if known is not None and [one.id for one in known[0]] == [one.id for one in imported]:
            return known[1]
        catalog = Catalog([*self._shipped, *imported])
        self._made[tenant.organization_id] = imported, catalog
        return catalog


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _places(one: Connector) -> _Places:
    """The words of a connector, by where they are."""
    # Of a domain the last part says nothing, and neither does what all APIs are called.
    names = {part for domain in one.domains for part in domain.split(".")[:-1]} - {"api", "www"}
    return (
        frozenset((one.key, *one.key.split("-"))),
        frozenset(_words(one.name)),
        frozenset(names),
        frozenset(word for category in one.categories for word in _words(category)),
        frozenset(_words(one.description)),
    )


def _score(places: _Places, words: list[str]) -> float:
    score = 0.0
    for word in words:
        for weight, known in zip(_WEIGHTS, places, strict=True):
            if word in known:
                score += weight
            elif len(word) >= _SHORTEST_BEGINNING and any(one.startswith(word) for one in known):
                score += weight / 2
    return score
