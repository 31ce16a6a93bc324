"""Where a credential goes on a request."""

import base64
import re
from collections.abc import Mapping

import msgspec

from clinch.gateway.api import Pairs

_FIELD = re.compile(r"\{([A-Za-z][A-Za-z0-9_]*)\}")
_UNSENDABLE = re.compile(r"[^\t\x20-\x7e\x80-\xff]")


class NotSendable(Exception):
    """A credential cannot be part of a request; the message does not quote it."""


class Placement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a credential goes on a request: `template` names fields of it in braces.

    The text is the value of `header`, encoded as HTTP Basic wants it (`user:password`) if `basic`;
    or of the parameter `query` of the URL, if there is one.
    """

    header: str = "Authorization"
    template: str = "Bearer {token}"
    basic: bool = False
    query: str | None = None

    @property
    def fields(self) -> frozenset[str]:
        """The fields of a credential that are sent."""
        return frozenset(_FIELD.findall(self.template))

    def placed(self, credential: Mapping[str, str]) -> tuple[Pairs, Pairs]:
        """The headers and the query parameters that carry a credential; raises NotSendable."""
        if not self.template:
            return (), ()
        # Only names in braces are replaced: a document cannot reach into Python as with str.format.
        text = _FIELD.sub(lambda match: _field(credential, match[1]), self.template)
        if self.query is not None:
            return (), ((self.query, text),)
        if self.basic:
            text = f"Basic {base64.b64encode(text.encode()).decode()}"
        if _UNSENDABLE.search(text):
            raise NotSendable("The credential has characters that no header can have.")
        return ((self.header, text),), ()


def _field(credential: Mapping[str, str], name: str) -> str:
    if name not in credential:
        raise NotSendable(f"The credential has no {name}.")
    return credential[name]
