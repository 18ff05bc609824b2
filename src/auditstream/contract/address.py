"""The addresses events may come from."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address, ip_address


@lru_cache(maxsize=65_536)
def canonical_address(text: str) -> str | None:
    """Return an address in its one canonical form, None when the text is no address.

    An IPv6 zone is dropped, an IPv4 address mapped into IPv6 becomes IPv4.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or IPv6Address(int(address)))
    return str(address)
