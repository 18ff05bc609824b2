"""Values in ClickHouse's SQL.

Thousands of values travel as one literal of hex digits: that is parsed in no time, and a list of
as many literals is not.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

LONG_QUERY: Final[Mapping[str, int]] = {
    "max_query_size": 256 * 1024 * 1024,
    # Looking so many values up in the index costs more than it saves.
    "use_index_for_in_with_subqueries": 0,
}
"""Settings under which a query may hold thousands of values."""

URGENT: Final[Mapping[str, int]] = {"priority": 1}
PATIENT: Final[Mapping[str, int]] = {"priority": 2, "low_priority_query_wait_time_ms": 10}
"""A patient query pauses while an urgent one runs on the same server, so many milliseconds between
two blocks: with the second of the default it starved beside look-ups that never cease."""


def literal(text: str) -> str:
    """Return `text` as a string literal."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\0", "\\0")
    return f"'{escaped}'"


def literals(texts: Iterable[str]) -> str:
    """Return `texts` as string literals with commas between them."""
    return ", ".join(map(literal, texts))


def moment(time: datetime) -> str:
    """Return `time` as a literal of microseconds in UTC."""
    return f"toDateTime64('{time.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}', 6, 'UTC')"


def uuids(texts: Iterable[str]) -> str:
    """Return a subquery with one row for each canonical UUID text."""
    # ClickHouse holds a UUID as two little-endian numbers.
    halves = array("Q", bytes.fromhex("".join(texts).replace("-", "")))
    halves.byteswap()
    return _values(halves, "UUID")


def numbers(values: Iterable[int]) -> str:
    """Return a subquery with one row for each number, UInt32."""
    return _values(array("I", values), "UInt32")


def statements(text: str, database: str) -> Iterator[str]:
    """Yield the statements of a file of SQL, in which `{database}` stands for the name.

    Each but the last ends in a semicolon at the end of a line.
    """
    for statement in f"{text}\n".split(";\n"):
        if statement.strip():
            yield statement.replace("{database}", database)


def hashes(values: Iterable[int]) -> str:
    """Return a subquery with one row for each number, UInt64."""
    return _values(array("Q", values), "UInt64")


def _values(values: array[int], kind: str) -> str:
    digits = values.tobytes().hex()
    return f"SELECT arrayJoin(reinterpret(unhex('{digits}'), 'Array({kind})'))"
