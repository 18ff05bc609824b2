"""Rows added to a log: a table whose readers do not mind a row twice."""
# ruff: noqa: S608 - names come from checked settings

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from auditstream.store.arrow import arrow_body, arrow_input
from auditstream.store.columns import Column
from auditstream.store.connection import Store


def add_rows(
    store: Store, table: str, columns: Mapping[str, Column], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Add rows in one INSERT, fsynced where the table says so. Blocks, within the append's bound.

    Raises:
        ServiceUnavailableError: no answer; the rows may have landed. The call can be repeated.
        StoreError: the server refused them.
        ValueError: a row is not of the table's types.
    """
    if not rows:
        return
    schema = {name: column.dtype for name, column in columns.items()}
    body = arrow_body(pl.DataFrame(list(rows), schema=schema), columns)
    store.insert_arrow(
        f"INSERT INTO {store.database}.{table} ({', '.join(columns)}) "
        f"SELECT * FROM {arrow_input(columns)} FORMAT ArrowStream",
        body,
        {"async_insert": 0, "max_execution_time": store.append_seconds},
    )
