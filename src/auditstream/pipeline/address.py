"""Class, country and network of addresses."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import Any, Final, TypeAlias

import maxminddb
import polars as pl

from auditstream.errors import ConfigurationError

Address: TypeAlias = IPv4Address | IPv6Address

CACHE: Final = 65_536
PRIVATE: Final = [
    ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
]


class Addresses:
    """Describes addresses, with MaxMind-format databases where there are any.

    Raises:
        ConfigurationError: a database cannot be read.
    """

    def __init__(self, country_file: Path | None = None, network_file: Path | None = None) -> None:
        self._country = _reader(country_file)
        self._network = _reader(network_file)
        self._describe = lru_cache(CACHE)(self._look_up)

    def describe(self, texts: pl.Series) -> pl.DataFrame:
        """Describe each distinct address: columns as `texts`, ip_class, country, network.

        Addresses are in their canonical form. What is not known is "". Country is an ISO code,
        network the organisation of the autonomous system.
        """
        distinct = texts.unique().drop_nulls()
        rows = [self._describe(text) for text in distinct.to_list()]
        schema = dict.fromkeys(("ip_class", "country", "network"), pl.String)
        facts = pl.DataFrame(rows, schema=schema, orient="row")
        return facts.insert_column(0, distinct)

    def _look_up(self, text: str) -> tuple[str, str, str]:
        address = ip_address(text)
        country, network = self._country(address), self._network(address)
        return (
            address_class(address),
            (country.get("country") or {}).get("iso_code", ""),
            network.get("autonomous_system_organization", ""),
        )


def address_class(address: Address) -> str:
    """Return loopback, link_local, multicast, private, public, or reserved for all others."""
    if address.is_loopback:
        return "loopback"
    if address.is_link_local:
        return "link_local"
    if address.is_multicast:
        return "multicast"
    if any(address in network for network in PRIVATE):
        return "private"
    return "public" if address.is_global else "reserved"


def _reader(file: Path | None) -> Callable[[Address], dict[str, Any]]:
    if file is None:
        return lambda _: {}
    try:
        database = maxminddb.open_database(file)
    except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
        raise ConfigurationError(
            f"{file} is not a readable MaxMind-format file: {error}"
        ) from error

    def look_up(address: Address) -> dict[str, Any]:
        try:
            entry = database.get(address)
        except ValueError:  # an IPv6 address in a database of IPv4
            return {}
        return entry if isinstance(entry, dict) else {}

    return look_up
