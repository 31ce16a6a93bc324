"""The connectors that come with the program: `close`, and a document for each other app."""

from importlib.resources import files

from clinch.gateway.connectors import close
from clinch.gateway.connectors.connector import Connector
from clinch.gateway.connectors.document import DocumentError, connector_of, parse_document

_DOCUMENTS = files("clinch.gateway.connectors") / "apps"
_NAMES = tuple(
    sorted(one.name.removesuffix(".json") for one in _DOCUMENTS.iterdir() if one.name[0] != ".")
)

SHIPPED_KEYS = frozenset((close.KEY, *_NAMES))


def shipped_connectors() -> tuple[Connector, ...]:
    """All but `close`, by their keys; raises DocumentError."""
    return tuple(_shipped(name) for name in _NAMES)


def _shipped(name: str) -> Connector:
    document = parse_document((_DOCUMENTS / f"{name}.json").read_bytes())
    if document.key != name:
        raise DocumentError(f"key: the file is called {name}")
    return connector_of(document, f"connector_{name}")[0]
