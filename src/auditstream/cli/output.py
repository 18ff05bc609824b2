"""How rows are printed: as a table, as JSON or as CSV."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

if TYPE_CHECKING:
    from rich.table import Table


class Format(StrEnum):
    """Forms in which data is printed."""

    table = "table"
    json = "json"
    csv = "csv"


FormatOption: TypeAlias = Annotated[
    Format, typer.Option("--format", "-f", help="How to print the rows.", show_default=True)
]
Row: TypeAlias = Sequence[Any]


def print_rows(columns: Sequence[str], rows: Iterable[Row], form: Format) -> None:
    """Print rows on standard output: a table, one JSON array of objects, or CSV with a header."""
    if form is Format.table:
        _print_table(columns, rows)
    elif form is Format.json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_text(value) for value in row] for row in rows)
        sys.stdout.write(buffer.getvalue())


def print_json(value: Any) -> None:
    """Print a value as indented JSON: times as ISO 8601, bytes as text with escapes."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=_plain) + "\n")


def table_of(columns: Sequence[str], rows: Iterable[Row]) -> Table:
    """Return rows as a rich table: calm, without lines between rows, numbers to the right."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    kept = [list(row) for row in rows]
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for index, name in enumerate(columns):
        numbers = bool(kept) and all(_is_number(row[index]) for row in kept)
        table.add_column(name, justify="right" if numbers else "left", overflow="fold")
    for row in kept:
        table.add_row(*(Text(cell(value)) for value in row))
    return table


def _print_table(columns: Sequence[str], rows: Iterable[Row]) -> None:
    from rich.console import Console

    if sys.stdout.isatty():
        Console().print(table_of(columns, rows))
        return
    # A pipe has no width: no value may be broken for the sake of one.
    wide = Console(file=io.StringIO(), width=1_000_000)
    with wide.capture() as page:
        wide.print(table_of(columns, rows))
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in page.get().splitlines()))


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float | Decimal) and value is not True)


def cell(value: Any) -> str:
    """Return a value as a table shows it: readable, and harmless to a terminal."""
    from auditstream.alerts.neutral import printable

    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    return printable(_text(value))


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        precision = "milliseconds" if value.microsecond else "seconds"
        return value.replace(tzinfo=None).isoformat(sep=" ", timespec=precision)
    plain = _plain(value)
    return plain if isinstance(plain, str) else json.dumps(plain, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    return value if isinstance(value, bool | int | float | str | list | dict) else str(value)
