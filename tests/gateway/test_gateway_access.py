"""Who calls the gateway: which tokens hold, whom they name, and which are refused."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from harness import SECRET_KEY, Organization, make_organization
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from clinch.gateway.errors import AccessDenied, GatewayError, NotAuthenticated
from clinch.gateway.tenancy.access import Access, Caller
from clinch.gateway.tenancy.tenants import archive_customer
from clinch.gateway.tenancy.workspace_keys import Workspace, workspace_key
from clinch.identity.credentials import Authenticator
from clinch.resources.actor import EVERY_CLASS
from clinch.vault.vault import Vault

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
VAULT = Vault(SECRET_KEY)
Claims = dict[str, Any]


class Gateway:
    """An organization with a workspace key, and its door."""

    def __init__(self, organization: Organization) -> None:
        self.organization, self.program = organization, organization.program
        self.database = organization.program.store.database
        self.access = Access(self.database, VAULT, Authenticator(self.database))
        self.workspace: Workspace = self.program.run(
            workspace_key(self.database, VAULT, organization.system.organization_id)
        )

    def caller(self, token: str, now: datetime = NOW, *, as_manager: bool = False) -> Caller:
        caller: Caller = self.program.run(self.access.caller(token, now, as_manager=as_manager))
        return caller

    def refusal(self, token: str, **rest: Any) -> GatewayError:
        """The refusal of a token, after which the rows of the gateway are as before."""
        before = self.program.run(self._rows())
        with pytest.raises(GatewayError) as refused:
            self.caller(token, **rest)
        assert self.program.run(self._rows()) == before
        assert self.workspace.secret not in str(refused.value.body)
        return refused.value

    def sign(self, claims: Claims | str, alg: str = "HS256", secret: str | None = None) -> str:
        """A token as anybody makes it who knows RFC 7515 and has no library."""
        text = f"{part({'alg': alg, 'typ': 'JWT'})}.{part(claims)}"
        key = (secret or self.workspace.secret).encode()
        signature = hmac.digest(key, text.encode(), getattr(hashlib, f"sha{alg[2:]}"))
        return f"{text}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"

    async def _rows(self) -> list[str]:
        """What the gateway knows of the organization."""
        async with self.database.everyone() as transaction:
            rows = await transaction.rows(
                "select t::text from gateway_tenant t where organization_id = $1 union all"
                " select w::text from gateway_workspace w where organization_id = $1 order by 1",
                self.workspace.organization_id,
            )
        return [row[0] for row in rows]

    def old(self, **claims: Any) -> Claims:
        """The claims that the SDK signs."""
        return {"id": "acme", "iss": self.workspace.key, "exp": at(hours=1), **claims}

    def new(self, **claims: Any) -> Claims:
        """The claims that the documentation has now."""
        return {
            "tenantKey": "acme",
            "workspaceKey": self.workspace.key,
            "exp": at(hours=1),
            **claims,
        }


def part(value: Any) -> str:
    """A part of a token: a JSON text as it is, or what is to be one."""
    text = value if isinstance(value, str) else json.dumps(value)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def at(**after: float) -> int:
    return int((NOW + timedelta(**after)).timestamp())


@pytest.fixture
def gateway(organization: Organization) -> Gateway:
    return Gateway(organization)


def test_both_sets_of_claims_name_the_same_customer(gateway: Gateway) -> None:
    first = gateway.caller(gateway.sign(gateway.old()))
    assert first.tenant
    assert (first.tenant.kind, first.tenant.key, first.actor) == ("customer", "acme", None)
    assert (first.manager, first.operations) == (False, EVERY_CLASS)
    assert first.organization.organization_id == gateway.workspace.organization_id
    second = gateway.caller(gateway.sign(gateway.new(), "HS512"))
    assert second.tenant
    assert second.tenant.id == first.tenant.id
    other = gateway.caller(gateway.sign(gateway.new(tenantKey="other")))
    assert other.tenant
    assert other.tenant.id != first.tenant.id


def test_the_organizations_public_id_is_taken_for_the_workspace_key(gateway: Gateway) -> None:
    token = gateway.sign(gateway.new(workspaceKey=gateway.organization.system.organization))
    by_id, by_key = gateway.caller(token), gateway.caller(gateway.sign(gateway.new()))
    assert by_id.tenant
    assert by_key.tenant
    assert by_id.tenant.id == by_key.tenant.id


def test_a_token_of_a_library_holds(gateway: Gateway) -> None:
    key = OctKey.import_key(gateway.workspace.secret)
    for alg in ("HS256", "HS512"):
        token = jwt.encode({"alg": alg}, gateway.old(), key, algorithms=[alg])
        assert gateway.caller(token).tenant


def test_name_and_fields_are_kept_and_changed(gateway: Gateway) -> None:
    def met(**claims: Any) -> tuple[str, Any]:
        tenant = gateway.caller(gateway.sign(gateway.new(**claims))).tenant
        assert tenant
        return tenant.name, tenant.fields

    assert met() == ("", {})
    assert met(name="Acme", fields={"plan": "gold", "seats": 3}) == (
        "Acme",
        {"plan": "gold", "seats": 3},
    )
    assert met() == ("Acme", {"plan": "gold", "seats": 3})
    assert met(fields={"plan": "红", "n": 10**400}) == ("Acme", {"plan": "红", "n": 10**400})
    assert met(fields={"plan": "红"}) == ("Acme", {"plan": "红"})
    assert met(name="Acme 2") == ("Acme 2", {"plan": "红"})


def test_a_manager_speaks_for_no_tenant_unless_one_is_named(gateway: Gateway) -> None:
    claims = {"workspaceKey": gateway.workspace.key, "isAdmin": True, "exp": at(hours=1)}
    caller = gateway.caller(gateway.sign(claims), as_manager=True)
    assert (caller.manager, caller.tenant, caller.actor) == (True, None, None)
    named = gateway.caller(gateway.sign(claims | {"tenantKey": "acme"}), as_manager=True)
    assert named.manager
    assert named.tenant
    refusal = gateway.refusal(gateway.sign(gateway.new(tenantKey="acme")), as_manager=True)
    assert isinstance(refusal, AccessDenied)
    for no in (1, "true", "yes", [True]):
        nobody = gateway.refusal(gateway.sign(claims | {"isAdmin": no}))
        assert "names nobody" in nobody.message


def times(claims: Claims) -> list[Claims]:
    """Claims whose times do not hold at NOW."""
    without = {name: value for name, value in claims.items() if name != "exp"}
    return [
        without,
        claims | {"exp": at(seconds=-61)},
        claims | {"exp": at(hours=24, seconds=61)},
        claims | {"exp": None},
        claims | {"exp": str(at(hours=1))},
        claims | {"exp": True},
        claims | {"exp": float("nan")},
        claims | {"exp": 10**400},
        claims | {"nbf": at(seconds=61)},
        claims | {"iat": at(seconds=61)},
        claims | {"nbf": "now"},
    ]


def test_a_token_whose_time_is_not_now_is_refused(gateway: Gateway) -> None:
    for claims in times(gateway.old()):
        refusal = gateway.refusal(gateway.sign(claims))
        assert isinstance(refusal, NotAuthenticated), claims
        assert refusal.body["key"] == "not_authenticated"


def test_clocks_may_be_a_minute_apart(gateway: Gateway) -> None:
    for claims in (
        gateway.old(exp=at(seconds=-50)),
        gateway.old(nbf=at(seconds=50), iat=at(seconds=50)),
        gateway.old(exp=at(hours=24)),
    ):
        assert gateway.caller(gateway.sign(claims)).tenant


def test_the_time_it_is_is_told(gateway: Gateway) -> None:
    token = gateway.sign(gateway.old())
    assert gateway.caller(token).tenant
    gateway.refusal(token, now=NOW + timedelta(hours=2))


def test_claims_of_the_wrong_type_are_refused(gateway: Gateway) -> None:
    for wrong in (
        gateway.new(tenantKey=""),
        gateway.new(tenantKey=7),
        gateway.new(tenantKey={"x": 1}),
        gateway.new(tenantKey="a\0b"),
        gateway.new(tenantKey="a\nb"),
        gateway.new(tenantKey="\ud800"),
        gateway.new(tenantKey="x" * 201),
        gateway.new(name=7),
        gateway.new(name="x" * 201),
        gateway.new(name="\0"),
        gateway.new(fields=[]),
        gateway.new(fields="x"),
        gateway.new(fields={"x": "y" * 10_000}),
        gateway.new(fields={"x": "\0"}),
        gateway.new(fields={"x": "\ud800"}),
        gateway.new(workspaceKey=7),
        gateway.new(workspaceKey="wsk_\0"),
        gateway.new(workspaceKey="\ud800"),
        {"exp": at(hours=1), "workspaceKey": gateway.workspace.key},
        {"exp": at(hours=1), "tenantKey": "acme"},
    ):
        assert isinstance(gateway.refusal(gateway.sign(wrong)), NotAuthenticated), wrong


def test_a_token_that_the_workspace_did_not_sign_is_refused(gateway: Gateway) -> None:
    other = Gateway(make_organization(gateway.program, "Quay Sales"))
    claims = gateway.old()
    good = gateway.sign(claims)
    header, payload, signature = good.split(".")
    private = rsa.generate_private_key(65537, 2048)
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    rsa_key = RSAKey.import_key(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    deep = f'{{"iss": "{gateway.workspace.key}", "x": {"[" * 3000}{"]" * 3000}}}'
    bad = {
        "another workspace's secret": gateway.sign(claims, secret=other.workspace.secret),
        "no algorithm": f"{part({'alg': 'none'})}.{payload}.",
        "no algorithm, spelled otherwise": f"{part({'alg': 'NONE'})}.{payload}.",
        "no algorithm, signed": f"{part({'alg': 'none'})}.{payload}.{signature}",
        "HS384": gateway.sign(claims, "HS384"),
        "RS256": jwt.encode({"alg": "RS256"}, claims, rsa_key, algorithms=["RS256"]),
        "a public key in the header": jwt.encode(
            {"alg": "RS256", "jwk": rsa_key.as_dict(private=False)},
            claims,
            rsa_key,
            algorithms=["RS256"],
        ),
        "signed with a public key": gateway.sign(claims, secret=base64.b64encode(public).decode()),
        "an unknown critical header": f"{part({'alg': 'HS256', 'crit': ['x'], 'x': 1})}"
        f".{payload}.{signature}",
        "an algorithm that is a list": f"{part({'alg': ['HS256']})}.{payload}.{signature}",
        "an altered claim": f"{header}.{part(gateway.old(id='other'))}.{signature}",
        "another workspace named": f"{header}.{part(other.old())}.{signature}",
        "no signature": f"{header}.{payload}.",
        "a cut signature": good[:-2],
        "no claims": f"{header}..{signature}",
        "claims that are a list": f"{header}.{part(['x'])}.{signature}",
        "deep claims": gateway.sign(deep),
        "nothing": "..",
        "no base64": "\x00.\xff.é",
        "too long": gateway.sign(gateway.old(x="y" * 20_000)),
        "encrypted": f"{part({'alg': 'dir', 'enc': 'A256GCM'})}..a.b.c",
    }
    for what, token in bad.items():
        assert isinstance(gateway.refusal(token), NotAuthenticated), what
    assert gateway.caller(good).tenant


def test_a_customer_of_one_workspace_is_not_that_of_another(gateway: Gateway) -> None:
    other = Gateway(make_organization(gateway.program, "Quay Sales"))
    mine = gateway.caller(gateway.sign(gateway.old())).tenant
    theirs = other.caller(other.sign(other.old())).tenant
    assert mine
    assert theirs
    assert mine.key == theirs.key
    assert (mine.id, mine.organization_id) != (theirs.id, theirs.organization_id)
    assert mine.wrapped_data_key != theirs.wrapped_data_key


def test_a_rotated_secret_ends_the_tokens_of_the_one_before(gateway: Gateway) -> None:
    token = gateway.sign(gateway.old())
    assert gateway.caller(token).tenant
    new: Workspace = gateway.program.run(
        workspace_key(gateway.database, VAULT, gateway.workspace.organization_id, rotate=True)
    )
    assert (new.key, new.secret != gateway.workspace.secret) == (gateway.workspace.key, True)
    gateway.refusal(token)
    assert gateway.caller(gateway.sign(gateway.old(), secret=new.secret)).tenant


def test_an_archived_customers_tokens_are_refused(gateway: Gateway) -> None:
    token = gateway.sign(gateway.old())
    tenant = gateway.caller(token).tenant
    assert tenant
    gateway.program.run(archive_customer(gateway.database, tenant.organization, tenant.id, NOW))
    assert "archived" in gateway.refusal(token).message
    assert gateway.caller(gateway.sign(gateway.old(id="other"))).tenant


def test_a_user_is_a_tenant_by_any_credential(gateway: Gateway) -> None:
    admin = gateway.organization.admin
    caller = gateway.caller(admin.key)
    assert caller.tenant
    assert caller.actor
    assert (caller.tenant.kind, caller.tenant.user_id) == ("user", admin.user_id)
    assert (caller.tenant.name, caller.tenant.key) == ("Sam Reed", None)
    assert (caller.manager, caller.operations) == (False, caller.actor.grant)
    again = gateway.caller(f"pat-{admin.key}")
    assert again.tenant
    assert again.tenant.id == caller.tenant.id
    other = gateway.caller(gateway.organization.member("user").key)
    assert other.tenant
    assert other.tenant.id != caller.tenant.id


def test_a_customer_called_like_a_user_is_not_the_user(gateway: Gateway) -> None:
    admin = gateway.organization.admin
    user = gateway.caller(admin.key).tenant
    customer = gateway.caller(gateway.sign(gateway.new(tenantKey=admin.user_id))).tenant
    assert user
    assert customer
    assert (customer.user_id, customer.id != user.id) == (None, True)


def test_who_manages_the_organization_may_manage_its_workspace(gateway: Gateway) -> None:
    assert gateway.caller(gateway.organization.admin.key, as_manager=True).manager
    for role in ("superuser", "restricteduser"):
        key = gateway.organization.member(role).key
        gateway.caller(key)
        assert isinstance(gateway.refusal(key, as_manager=True), AccessDenied)


def test_a_credential_that_does_not_hold_is_refused(gateway: Gateway) -> None:
    key = gateway.organization.member("user").key
    for wrong in ("", "pat-", "x", f"{key}x", key[:-1], key.replace(".", "\0."), "\ud800.x"):
        assert isinstance(gateway.refusal(wrong), NotAuthenticated), wrong


def test_a_revoked_credential_is_refused_at_once(gateway: Gateway) -> None:
    member = gateway.organization.member("user")
    assert gateway.caller(member.key).tenant
    gateway.organization.admin.delete(f"/api_key/{member.key.partition('.')[0]}/")
    gateway.refusal(member.key)


def test_changed_rights_are_read_anew(gateway: Gateway) -> None:
    admin = gateway.organization.admin
    member = gateway.organization.member("user")
    gateway.caller(member.key)
    organization = admin.get(f"/organization/{gateway.organization.system.organization}/")
    [id] = [m["id"] for m in organization["memberships"] if m["user_id"] == member.user_id]
    admin.put(f"/membership/{id}/", {"role_id": "admin"})
    assert gateway.caller(member.key, as_manager=True).manager
