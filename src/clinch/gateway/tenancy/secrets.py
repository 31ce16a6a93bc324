"""What a tenant keeps secret, sealed under a data key that is the tenant's alone.

The data key is in the tenant's row, wrapped by the installation's vault, so that a new secret key
of the installation wraps the data keys anew and leaves what they sealed as it is. A sealed value is
a format byte, a nonce of 12 bytes, and what AES-256-GCM makes of the value, its tag of 16 bytes
included.
"""

import os
from collections import OrderedDict

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from clinch.gateway.tenancy.tenants import DATA_KEYS, GatewayTenant
from clinch.vault.vault import CannotOpen, Vault

_FORMAT = b"\x01"
_NONCE = slice(1, 13)
_CACHED = 1000


class TenantVault:
    """Seals and opens the secrets of tenants. Data keys are in memory alone, those used last."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._ciphers: OrderedDict[tuple[str, str, bytes], AESGCM] = OrderedDict()

    def seal(
        self, tenant: GatewayTenant, connection_id: str, field: str, version: int, value: bytes
    ) -> bytes:
        """The value, sealed for one version of a field of a connection: it opens nowhere else."""
        nonce = os.urandom(12)
        place = _place(tenant, connection_id, field, version)
        return _FORMAT + nonce + self._cipher(tenant).encrypt(nonce, value, place)

    def open(
        self, tenant: GatewayTenant, connection_id: str, field: str, version: int, sealed: bytes
    ) -> bytes:
        """What was sealed for this place; raises CannotOpen: KeyMissing where the data key does not
        open, another where it does and never sealed this, such as after `clinch vault forget`.
        """
        place = _place(tenant, connection_id, field, version)
        cipher = self._cipher(tenant)
        if sealed[:1] != _FORMAT:
            raise CannotOpen("the sealed value is of no format that is known")
        try:
            return cipher.decrypt(sealed[_NONCE], sealed[_NONCE.stop :], place)
        except (InvalidTag, ValueError):
            raise CannotOpen("the sealed value was altered, or belongs elsewhere") from None

    def _cipher(self, tenant: GatewayTenant) -> AESGCM:
        known = (tenant.organization_id, tenant.id, tenant.wrapped_data_key)
        cipher = self._ciphers.pop(known, None)
        if cipher is None:
            place = DATA_KEYS.place_of(tenant.organization_id, tenant.id)
            cipher = AESGCM(self._vault.open(tenant.wrapped_data_key, place))
        self._ciphers[known] = cipher
        if len(self._ciphers) > _CACHED:
            self._ciphers.popitem(last=False)
        return cipher


def _place(tenant: GatewayTenant, connection_id: str, field: str, version: int) -> bytes:
    """An encoding in which no two places are written alike."""
    return msgspec.json.encode((tenant.organization_id, tenant.id, connection_id, field, version))
