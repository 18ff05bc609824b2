"""Parameters of requests, as values."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from auditstream.contract.address import canonical_address
from auditstream.errors import RefusedError

# A plus that was not percent-encoded arrives as a space: 2025-02-18T10:47:37+01:00.
_LOST_PLUS: Final = re.compile(r"(?<=T\d\d:\d\d)(\S*) (\d\d:?\d\d)$")


def read_time(name: str, text: str) -> datetime:
    """Return a time in ISO 8601; its offset is honoured, none means UTC.

    Raises:
        RefusedError: 400, with the name of the parameter.
    """
    try:
        moment = datetime.fromisoformat(_LOST_PLUS.sub(r"\1+\2", text.strip()))
    except ValueError:
        raise RefusedError(
            400, f"{name}: not a time in ISO 8601 like 2025-02-18T10:47:37Z"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def read_range(
    start: tuple[str, str | None], end: tuple[str, str | None]
) -> tuple[datetime | None, datetime | None]:
    """Return the times of two parameters, each given by name and text.

    Raises:
        RefusedError: 400, one is no time, or the second lies before the first.
    """
    since, until = (None if text is None else read_time(name, text) for name, text in (start, end))
    if since is not None and until is not None and until < since:
        raise RefusedError(400, f"{end[0]}: lies before {start[0]}")
    return since, until


def read_address(name: str, text: str) -> str:
    """Return an IPv4 or IPv6 address in the form in which it is stored.

    Raises:
        RefusedError: 400, with the name of the parameter.
    """
    address = canonical_address(text)
    if address is None:
        raise RefusedError(400, f"{name}: neither an IPv4 nor an IPv6 address")
    return address
