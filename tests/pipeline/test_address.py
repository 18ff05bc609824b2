"""Class, country and network of addresses."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from auditstream.errors import ConfigurationError
from auditstream.pipeline.address import Addresses
from tests.pipeline.geoip import write_database


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("10.1.2.3", "private"),
        ("172.31.255.255", "private"),
        ("172.32.0.0", "public"),
        ("192.168.0.1", "private"),
        ("fd00::1", "private"),
        ("8.8.8.8", "public"),
        ("2606:4700::1111", "public"),
        ("127.0.0.1", "loopback"),
        ("::1", "loopback"),
        ("169.254.1.1", "link_local"),
        ("fe80::1", "link_local"),
        ("224.0.0.1", "multicast"),
        ("100.64.0.1", "reserved"),
        ("203.0.113.5", "reserved"),
        ("0.0.0.0", "reserved"),  # noqa: S104  (an address, not a listener)
    ],
)
def test_class(text: str, kind: str) -> None:
    """An address is told by where it can be reached from."""
    assert Addresses().describe(pl.Series("ip", [text])).rows() == [(text, kind, "", "")]


def test_each_once() -> None:
    """Each distinct address has one row, absence none."""
    texts = pl.Series("ip", ["8.8.8.8", None, "8.8.8.8", "10.0.0.1"])
    found = Addresses().describe(texts)
    assert sorted(found["ip"]) == ["10.0.0.1", "8.8.8.8"]
    assert found.columns == ["ip", "ip_class", "country", "network"]
    assert Addresses().describe(pl.Series("ip", [None], dtype=pl.String)).rows() == []


def test_databases(tmp_path: Path) -> None:
    """Country and network come from the databases, which are asked for each address once."""
    country = write_database(tmp_path / "country.mmdb", {"country": {"iso_code": "NL"}})
    network = write_database(
        tmp_path / "network.mmdb", {"autonomous_system_organization": "Example Net"}
    )
    addresses = Addresses(country, network)
    expected = [("8.8.8.8", "public", "NL", "Example Net")]
    assert addresses.describe(pl.Series("ip", ["8.8.8.8"])).rows() == expected
    assert addresses.describe(pl.Series("ip", ["8.8.8.8"])).rows() == expected


@pytest.mark.parametrize("entry", [{}, {"country": {}}, {"traits": "x"}, "text"])
def test_entries_without_what_is_wanted(tmp_path: Path, entry: object) -> None:
    """A database that does not tell leaves the columns empty."""
    file = write_database(tmp_path / "other.mmdb", entry)
    rows = Addresses(file, file).describe(pl.Series("ip", ["8.8.8.8"])).rows()
    assert rows == [("8.8.8.8", "public", "", "")]


def test_database_of_the_other_version(tmp_path: Path) -> None:
    """A database of IPv4 addresses knows nothing of the others."""
    entry = {"country": {"iso_code": "NL"}}
    addresses = Addresses(write_database(tmp_path / "four.mmdb", entry, ip_version=4))
    found = addresses.describe(pl.Series("ip", ["8.8.8.8", "2606:4700::1111"]))
    assert dict(found.select("ip", "country").rows()) == {"8.8.8.8": "NL", "2606:4700::1111": ""}


def test_unreadable_database(tmp_path: Path) -> None:
    """A file that is not there or no database is refused, by name."""
    with pytest.raises(ConfigurationError, match=r"missing\.mmdb"):
        Addresses(tmp_path / "missing.mmdb")
    (tmp_path / "text.mmdb").write_text("text")
    with pytest.raises(ConfigurationError, match=r"text\.mmdb"):
        Addresses(None, tmp_path / "text.mmdb")
