"""A browser without JavaScript, as a person uses it: it keeps cookies and sends forms."""

import re
from dataclasses import dataclass, field
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import requests


@dataclass
class Browser:
    """One person's browser. `page` is the last answer; nothing outside the server is followed."""

    home: str
    session: requests.Session = field(default_factory=requests.Session)
    page: requests.Response = field(default_factory=requests.Response)
    place: str = ""

    def open(self, url: str) -> "Browser":
        return self._go("GET", url)

    def send(self, **fields: str) -> "Browser":
        """Send the page's form as it is, with these fields filled in; an empty one is left out, as
        is a box that is not ticked."""
        form = self.fields() | fields
        return self._go(
            "POST", self.place, data={name: value for name, value in form.items() if value}
        )

    def fields(self) -> dict[str, str]:
        """What the form has in it already."""
        found = {}
        for tag in re.findall(r"<input[^>]*>", self.page.text):
            attributes = {
                name: unescape(value) for name, value in re.findall(r'([\w-]+)="([^"]*)"', tag)
            }
            kind = attributes.get("type", "text")
            if kind in ("checkbox", "radio") and " checked" not in tag:
                continue
            found[attributes["name"]] = attributes.get("value", "on" if kind == "checkbox" else "")
        return found

    @property
    def text(self) -> str:
        """What the page says, as HTML."""
        return self.page.text

    def log_in(self, person: Any) -> "Browser":
        return self.send(email=person.email, password=person.password)

    @property
    def sent_to(self) -> dict[str, str]:
        """The query of the address that the browser was last sent to."""
        return {name: last[-1] for name, last in parse_qs(urlsplit(self.place).query).items()}

    def _go(self, method: str, url: str, **sent: Any) -> "Browser":
        self.place = url
        self.page = self.session.request(method, url, allow_redirects=False, timeout=30, **sent)
        while self.page.is_redirect:
            self.place = urljoin(self.place, self.page.headers["location"])
            if not self.place.startswith(f"{self.home}/"):
                break
            self.page = self.session.get(self.place, allow_redirects=False, timeout=30)
        return self
