"""Arbitrary SQL, for the command line: as a table, or in a format of ClickHouse."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from auditstream.errors import StoreError
from auditstream.store.connection import SettingValue, Store

JSON: Final = "JSONEachRow"
CSV: Final = "CSVWithNames"

_TABLE: Final = "JSONCompact"
_READ_ONLY: Final[dict[str, SettingValue]] = {"readonly": 2}


@dataclass(frozen=True)
class Table:
    """Rows of a query: names and ClickHouse types of its columns, values as JSON has them."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


def query_table(
    store: Store,
    sql: str,
    *,
    read_only: bool = True,
    parameters: Mapping[str, Any] | None = None,
) -> Table:
    """Run one statement and return its rows; none for a statement that returns none.

    Names without a database are those of the store's. With `read_only` a statement that would
    change anything is refused. `parameters` fill its {name:Type}. Blocks until all rows are in
    memory.

    Raises:
        StoreError: the statement was refused, or has a FORMAT clause of its own.
        ServiceUnavailableError: see `Store`.
    """
    answer = query_text(store, sql, _TABLE, read_only=read_only, parameters=parameters)
    if not answer.strip():
        return Table((), (), ())
    try:
        document = json.loads(answer)
        columns = tuple(column["name"] for column in document["meta"])
        types = tuple(column["type"] for column in document["meta"])
        return Table(columns, types, tuple(tuple(row) for row in document["data"]))
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError("leave FORMAT out of the statement to get a table of its rows") from error


def query_text(
    store: Store,
    sql: str,
    output_format: str,
    *,
    read_only: bool = True,
    parameters: Mapping[str, Any] | None = None,
) -> str:
    """Run one statement and return the answer in a format of ClickHouse, for example `JSON`.

    A FORMAT clause of the statement goes before. Bytes that are not UTF-8 are replaced. The
    rest is as for `query_table`.
    """
    answer = store.query_raw(sql, output_format, _READ_ONLY if read_only else None, parameters)
    return answer.decode(errors="replace")


def list_columns(store: Store) -> dict[str, tuple[str, ...]]:
    """Return the columns of each table and view of the store's database, by its name.

    Blocks, and raises what `Store` raises.
    """
    found = store.query_frame(
        "SELECT table, name FROM system.columns WHERE database = {database:String} "
        "ORDER BY table, position",
        {"database": store.database},
    )
    tables: dict[str, tuple[str, ...]] = {}
    for table, name in found.rows():
        tables[table] = (*tables.get(table, ()), name)
    return tables
