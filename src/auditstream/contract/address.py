"""The addresses events may come from."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address


def parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address a text stands for, None when it is none.

    An IPv6 zone is dropped, an IPv4 address mapped into IPv6 is returned as IPv4.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or IPv6Address(int(address))
    return address


@lru_cache(maxsize=65_536)
def canonical_address(text: str) -> str | None:
    """Return an address in its one canonical form, None when the text is no address."""
    address = parse_address(text)
    return None if address is None else str(address)
