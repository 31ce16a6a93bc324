"""A tenant's secrets open in the place that they were sealed for, and nowhere else."""

import os
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from clinch.db.database import Tenant
from clinch.gateway.tenancy import secrets
from clinch.gateway.tenancy.secrets import TenantVault
from clinch.gateway.tenancy.tenants import DATA_KEYS, GatewayTenant
from clinch.vault.vault import CannotOpen, Vault

OLD, NEW = "0f1e2d3c" * 8, "8796a5b4" * 8
ORGANIZATION = "11111111-1111-4111-8111-111111111111"
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
PLACE: tuple[str, str, int] = ("con_1", "access_token", 3)


def tenant(
    vault: Vault,
    id: str = "tnt_1",
    organization_id: str = ORGANIZATION,
    data_key: bytes | None = None,
) -> GatewayTenant:
    wrapped = vault.seal(data_key or os.urandom(32), DATA_KEYS.place_of(organization_id, id))
    organization = Tenant(organization_id)
    return GatewayTenant(
        organization, id, "customer", None, "acme", "", {}, wrapped, NOW, NOW, None
    )


def test_a_value_opens_for_its_tenant_connection_field_and_version() -> None:
    vault = Vault(OLD)
    ours, secrets_of = tenant(vault), TenantVault(vault)
    sealed = secrets_of.seal(ours, *PLACE, b"token")
    assert b"token" not in sealed
    assert secrets_of.open(ours, *PLACE, sealed) == b"token"
    assert secrets_of.seal(ours, *PLACE, b"token") != sealed
    others: list[tuple[str, str, int]] = [
        ("con_2", "access_token", 3),
        ("con_1", "refresh_token", 3),
        ("con_1", "access_token", 4),
        ("con_1access", "_token", 3),
        ('con_1","access_token', "", 3),
    ]
    for other in others:
        with pytest.raises(CannotOpen):
            secrets_of.open(ours, *other, sealed)


def test_a_value_does_not_open_for_another_tenant_even_with_the_same_data_key() -> None:
    vault, same = Vault(OLD), os.urandom(32)
    ours, secrets_of = tenant(vault, data_key=same), TenantVault(vault)
    sealed = secrets_of.seal(ours, *PLACE, b"token")
    elsewhere = Tenant("22222222-2222-4222-8222-222222222222")
    for other in (
        tenant(vault, "tnt_2"),
        tenant(vault),
        tenant(vault, "tnt_2", data_key=same),
        tenant(vault, organization_id=elsewhere.organization_id, data_key=same),
        tenant(vault, organization_id=elsewhere.organization_id),
        # A row that was copied over another's.
        replace(ours, id="tnt_2"),
        replace(ours, organization=elsewhere),
    ):
        with pytest.raises(CannotOpen):
            secrets_of.open(other, *PLACE, sealed)
        with pytest.raises(CannotOpen):
            TenantVault(vault).open(other, *PLACE, sealed)


def test_every_altered_byte_is_noticed() -> None:
    vault = Vault(OLD)
    ours, secrets_of = tenant(vault), TenantVault(vault)
    sealed = secrets_of.seal(ours, *PLACE, b"x")
    for position in range(len(sealed)):
        altered = bytearray(sealed)
        altered[position] ^= 1
        with pytest.raises(CannotOpen):
            secrets_of.open(ours, *PLACE, bytes(altered))
    for length in range(len(sealed)):
        with pytest.raises(CannotOpen):
            secrets_of.open(ours, *PLACE, sealed[:length])


def test_a_data_key_that_is_wrapped_anew_opens_what_it_sealed() -> None:
    before, both, after = Vault(OLD), Vault(f"{NEW} {OLD}"), Vault(NEW)
    ours = tenant(before)
    sealed = TenantVault(before).seal(ours, *PLACE, b"token")
    place = DATA_KEYS.place_of(ours.organization_id, ours.id)
    rewrapped = replace(
        ours, wrapped_data_key=both.seal(both.open(ours.wrapped_data_key, place), place)
    )
    assert TenantVault(after).open(rewrapped, *PLACE, sealed) == b"token"
    with pytest.raises(CannotOpen):
        TenantVault(after).open(ours, *PLACE, sealed)


def test_so_many_data_keys_are_in_memory_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "_CACHED", 3)
    vault = Vault(OLD)
    secrets_of = TenantVault(vault)
    tenants = [tenant(vault, f"tnt_{number}") for number in range(6)]
    sealed = [secrets_of.seal(one, *PLACE, one.id.encode()) for one in tenants]
    assert len(secrets_of._ciphers) == 3
    for one, value in zip(tenants, sealed, strict=True):
        assert secrets_of.open(one, *PLACE, value) == one.id.encode()
        assert len(secrets_of._ciphers) == 3


def test_no_key_shows_in_what_is_printed() -> None:
    vault = Vault(OLD)
    ours = tenant(vault)
    data_key = vault.open(ours.wrapped_data_key, DATA_KEYS.place_of(ours.organization_id, ours.id))
    secrets_of = TenantVault(vault)
    secrets_of.seal(ours, *PLACE, b"token")
    for printed in (repr(ours), repr(secrets_of), repr(vars(secrets_of))):
        assert data_key.hex() not in printed
        assert repr(data_key) not in printed
    assert repr(ours.wrapped_data_key) not in repr(ours)
