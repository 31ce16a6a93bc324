"""All apps that can be connected here, and finding one of them."""

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from clinch.gateway.connectors.connector import Connector

# How much a word of the search says where it is found.
_KEY, _NAME, _DOMAIN, _CATEGORY, _DESCRIPTION = 100, 80, 40, 10, 5


class Catalog:
    """The connectors, by id and key."""

    def __init__(self, connectors: Iterable[Connector]) -> None:
        self.connectors = tuple(connectors)
        self._named = {one.key: one for one in self.connectors}
        self._named |= {one.id: one for one in self.connectors}

    def get(self, id_or_key: str) -> Connector | None:
        return self._named.get(id_or_key)

    def by_domain(self, address: str) -> Connector | None:
        """The app at a web address or domain: one of its domains, or below one."""
        text = address.strip().lower()
        try:
            host = urlsplit(text if "//" in text else f"//{text}").hostname or ""
        except ValueError:
            return None
        for one in self.connectors:
            if any(host == domain or host.endswith(f".{domain}") for domain in one.domains):
                return one
        return None

    def search(self, text: str, limit: int = 10) -> list[Connector]:
        """The apps that words find, the best first; all of them without a word."""
        words = re.findall(r"[\w.-]+", text.lower())
        found = [(_score(one, words), one) for one in self.connectors]
        good = [(score, one) for score, one in found if score or not words]
        good.sort(key=lambda pair: (-pair[0], pair[1].key))
        return [one for _, one in good[:limit]]


def _score(one: Connector, words: list[str]) -> int:
    name, described = one.name.lower(), f"{one.description} ".lower()
    score = 0
    for word in words:
        if word == one.key:
            score += _KEY
        if word in name.split():
            score += _NAME
        elif len(word) > 2 and name.startswith(word):
            score += _NAME // 2
        if any(word in (domain, domain.partition(".")[0]) for domain in one.domains):
            score += _DOMAIN
        if word in (category.lower() for category in one.categories):
            score += _CATEGORY
        if re.search(rf"\b{re.escape(word)}\b", described):
            score += _DESCRIPTION
    return score
