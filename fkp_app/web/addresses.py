"""Who sends a request: the address that tells visitors apart."""

import ipaddress

from fkp_app.errors import UsageError
from fkp_app.web.limits import Scope, is_this_machine

UNKNOWN = ""
"""Stands for all addresses that are not known: they share what one visitor gets."""
PREFIX = 64
"""Bits of an IPv6 address that count: whoever has one may choose the other bits freely."""
FORWARDED = b"x-forwarded-for"


def check_proxy(proxy: str | None) -> None:
    """UsageError if this is no IP address. None means that there is no proxy."""
    if proxy is not None and _network(proxy) == UNKNOWN:
        raise UsageError(f"--proxy {proxy}: is no IP address; give the one that the proxy's requests come from")


def visitor_of(scope: Scope, proxy: str | None = None) -> str:
    """The address of a request's visitor; of an IPv6 address, its network of PREFIX bits.

    proxy: the address of a reverse proxy. What comes from it has the visitor's address as the last one in the header
    X-Forwarded-For: the proxy has written it, all before it the visitor may have invented. Without a proxy, and from
    other addresses, the header counts for nothing.
    """
    client = scope.get("client")
    address = _network(str(client[0])) if client else UNKNOWN
    if proxy is None or address != _network(proxy):
        return address
    entries = ",".join(value.decode("latin-1") for key, value in scope["headers"] if key == FORWARDED)
    visitor = _network(entries.rpartition(",")[2].strip())
    return UNKNOWN if is_this_machine(visitor) else visitor


def _network(address: str) -> str:
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return UNKNOWN
    known = getattr(known, "ipv4_mapped", None) or known
    if known.version == 4 or known.is_loopback:
        return str(known)
    return str(ipaddress.ip_network((int(known), PREFIX), strict=False))
