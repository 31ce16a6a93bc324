"""Who we are at apps: the client ids and secrets that the operator has set."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from clinch.gateway.connectors.connector import AuthOption, Connector


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """What an app's OAuth server knows us by; the secret is empty for a public client."""

    id: str
    secret: str = field(repr=False)


class OAuthClients:
    """The clients, by the settings that each connector names."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._settings = settings

    def of(self, connector: Connector) -> OAuthClient | None:
        """Our client at an app; None where the operator has set none."""
        for_id, for_secret = connector.client_settings
        id = self._settings.get(for_id, "").strip()
        return OAuthClient(id, self._settings.get(for_secret, "").strip()) if id else None

    def offered(self, connector: Connector) -> tuple[AuthOption, ...]:
        """The ways into an app that can be gone here."""
        known = self.of(connector) is not None
        return tuple(one for one in connector.options if one.oauth is None or known)
