"""The addresses events may come from."""

from __future__ import annotations

import pytest

from auditstream.contract.address import canonical_address


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("10.1.2.3", "10.1.2.3"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("fe80::1%eth0", "fe80::1"),
        ("::1", "::1"),
    ],
)
def test_one_form(text: str, form: str) -> None:
    """However an address is written, it is stored in one form."""
    assert canonical_address(text) == form


@pytest.mark.parametrize("text", ["", "localhost", "10.1.2", "010.1.2.3", " 10.1.2.3", "::g", "1"])
def test_no_address(text: str) -> None:
    """What is no address is told apart."""
    assert canonical_address(text) is None
