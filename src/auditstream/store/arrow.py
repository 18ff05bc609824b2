"""Frames as the body of an INSERT."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from io import BytesIO
from typing import Final

import polars as pl

from auditstream.store.columns import Column
from auditstream.store.connection import SettingValue
from auditstream.store.sql import literal

ROWS_OF_A_BLOCK: Final = 100_000_000

_building: Final = threading.Lock()


def one_block(token: str, seconds: float) -> dict[str, SettingValue]:
    """Return the settings of an INSERT of one ClickHouse partition that is one part, hence atomic.

    It is refused rather than run without its deduplication token, and ends within `seconds`.
    """
    return {
        "async_insert": 0,
        "max_insert_threads": 1,
        "max_block_size": ROWS_OF_A_BLOCK,
        "min_insert_block_size_rows": ROWS_OF_A_BLOCK,
        "min_insert_block_size_bytes": 0,
        "deduplicate_insert": "enable",
        "deduplicate_insert_select": "force_enable",
        "insert_deduplication_token": token,
        "max_execution_time": seconds,
    }


def arrow_input(columns: Mapping[str, Column]) -> str:
    """Return the table function that reads a body of `arrow_body` with these columns."""
    structure = ", ".join(f"{name} {column.type}" for name, column in columns.items())
    return f"input({literal(structure)})"


def arrow_body(frame: pl.DataFrame, columns: Mapping[str, Column]) -> memoryview:
    """Return the columns of a frame, in this order and cast to their dtypes, as an Arrow stream.

    Strings of which few repeat travel as dictionaries, which is what ClickHouse keeps them as:
    that, and compressed buffers, made inserts of 50,000 events three times as fast. One body is
    built at a time, since that takes several times its memory.

    Raises:
        ValueError: a column is missing, has a value of another type, or lacks one it must have.
    """
    with _building:
        return _build(frame, columns)


def _build(frame: pl.DataFrame, columns: Mapping[str, Column]) -> memoryview:
    if missing := [name for name in columns if name not in frame.columns]:
        raise ValueError(f"the frame has no column {missing[0]}")
    try:
        ordered = frame.select(pl.col(name).cast(columns[name].dtype) for name in columns)
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"the frame does not have the table's types: {error}") from error
    for name, column in columns.items():
        if not column.nullable and ordered[name].null_count():
            raise ValueError(f"the frame lacks a value in column {name}")
    # Categories of their own: the shared ones would keep every string ever seen.
    words = [
        pl.col(name).cast(pl.Categorical(pl.Categories.random()))
        for name, column in columns.items()
        if column.repeats
    ]
    body = BytesIO()
    ordered.with_columns(words).rechunk().write_ipc_stream(
        body, compression="lz4", compat_level=pl.CompatLevel.oldest()
    )
    return body.getbuffer()
