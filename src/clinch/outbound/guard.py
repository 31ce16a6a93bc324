"""Where connections may lead: to public addresses, and to the private ones that the operator named.

The address is looked at when the socket to it is made, after all names were resolved, so neither an
odd spelling nor a name that changes its mind leads anywhere else.
"""

import ipaddress
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
AddrInfo = tuple[int, int, int, str, tuple[object, ...]]

VARIABLE = "CLINCH_ALLOW_PRIVATE"
"""The setting with the addresses that the operator allows."""

_LOCAL = ("127.0.0.1", "::1")
# Addresses of the one kind that stand for one of the other: what they stand for decides as well.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_SHARED = ipaddress.IPv4Network("100.64.0.0/10")


class OutboundRefused(OSError):
    """A connection would lead to a private address. The message does not name it."""

    def __init__(self) -> None:
        super().__init__("The address is not one that this server connects to.")


class SettingError(ValueError):
    """A setting cannot be read. One line, what to do."""


@dataclass(frozen=True, slots=True)
class Guard:
    """`allowed` are private addresses with their ports, exactly."""

    allowed: frozenset[tuple[Address, int]] = frozenset()

    def make_socket(self, info: AddrInfo) -> socket.socket:
        """A socket for a resolved address; raises OutboundRefused."""
        family, kind, protocol, _, place = info
        self.check(str(place[0]), int(str(place[1])))
        return socket.socket(family, kind, protocol)

    def check(self, host: str, port: int) -> None:
        """Raise OutboundRefused for an address that nobody may be connected to."""
        try:
            address = ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            raise OutboundRefused from None
        if (address, port) not in self.allowed and not all(map(_is_public, _meant(address))):
            raise OutboundRefused


def guard_of(environment: Mapping[str, str]) -> Guard:
    """The guard that the settings make; raises SettingError."""
    return Guard(read_allowed(environment.get(VARIABLE, "")))


def read_allowed(text: str) -> frozenset[tuple[Address, int]]:
    """The addresses in a setting such as `127.0.0.1:9000, [::1]:9000`; raises SettingError."""
    found: set[tuple[Address, int]] = set()
    for part in filter(None, (part.strip() for part in text.split(","))):
        host, colon, port = part.rpartition(":")
        host = host.strip("[]")
        if not colon or not port.isdecimal() or not 1 <= int(port) <= 65535:
            raise SettingError(f"{part!r} is not ADDRESS:PORT, such as 127.0.0.1:9000")
        for name in _LOCAL if host == "localhost" else (host,):
            try:
                found.add((ipaddress.ip_address(name), int(port)))
            except ValueError:
                raise SettingError(
                    f"{host!r} is no address: names may change, so give what they lead to"
                ) from None
    return frozenset(found)


def read_origin(text: str) -> str:
    """The origin in a setting such as `https://crm.example`, or nothing; raises SettingError."""
    origin = text.strip().rstrip("/")
    try:
        parts = urlsplit(origin)
        known = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        known = False
    if origin and not (
        known and "@" not in origin and parts.geturl() == f"{parts.scheme}://{parts.netloc}"
    ):
        raise SettingError(f"{text!r} is no origin, such as https://crm.example")
    return origin


def _meant(address: Address) -> Iterable[Address]:
    """The address, and those that it stands for."""
    yield address
    if isinstance(address, ipaddress.IPv6Address):
        for embedded in (address.ipv4_mapped, address.sixtofour, *(address.teredo or ())):
            if embedded is not None:
                yield embedded
        if address in _NAT64:
            yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)


def _is_public(address: Address) -> bool:
    mapped = isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None
    if mapped or address in _NAT64:
        return True  # what it stands for is looked at by itself
    return (
        address.is_global
        and not address.is_multicast
        and not (isinstance(address, ipaddress.IPv4Address) and address in _SHARED)
        and not (isinstance(address, ipaddress.IPv6Address) and address.is_site_local)
    )
