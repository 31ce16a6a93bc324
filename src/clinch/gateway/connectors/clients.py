"""Who we are at apps: the client ids and secrets that the operator has set.

The names of the settings follow from the connector's key. Anybody who may import a connector could
choose a key whose secret is set for another app, so that of an imported one is sent only where the
operator says so as well.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from clinch.gateway.connectors.connector import AuthOption, Connector


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """What an app's OAuth server knows us by; the secret is empty for a public client."""

    id: str
    secret: str = field(repr=False)


class OAuthClients:
    """The clients, by the operator's settings; `shipped` are the keys of our own connectors."""

    def __init__(self, settings: Mapping[str, str], shipped: frozenset[str]) -> None:
        self._settings, self._shipped = settings, shipped

    def of(self, connector: Connector, option: AuthOption) -> OAuthClient | None:
        """Our client at an app's OAuth server; None where the operator has set none."""
        id, secret, *rest = (
            self._settings.get(name, "").strip() for name in self.settings(connector)
        )
        known = option.oauth is not None and all(url == option.oauth.token_url for url in rest)
        return OAuthClient(id, secret) if id and known else None

    def offered(self, connector: Connector) -> tuple[AuthOption, ...]:
        """The ways into an app that can be gone here."""
        return tuple(
            option
            for option in connector.options
            if option.oauth is None or self.of(connector, option) is not None
        )

    def settings(self, connector: Connector) -> tuple[str, ...]:
        """The settings that make us a client of an app: the id, the secret, and the address of the
        token endpoint of one that was imported."""
        name = f"CLINCH_APP_{connector.key.upper().replace('-', '_')}"
        imported = connector.key not in self._shipped
        more = (f"{name}_TOKEN_URL",) if imported else ()
        return (f"{name}_CLIENT_ID", f"{name}_CLIENT_SECRET", *more)
