"""Adding rows to a table that never holds two with the same key.

The state here is the number of rows: whoever adds some changes it. It is read first, then which of
the rows are there; only then are those that are missing sent, to land on that state. What was there
at that state was seen, since it was read later; what came after changes the state, and the rows do
not land. So no row lands beside its like, whoever else adds rows at the same time. The call ends
when a reading has found all rows in the table, not when an answer says so.
"""
# ruff: noqa: S608 - names come from checked settings, values from store.sql

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl

from auditstream.store.advance import Clock, advance, wait_for
from auditstream.store.arrow import arrow_body, arrow_input, one_block
from auditstream.store.columns import Column
from auditstream.store.connection import Store


@dataclass(frozen=True)
class Shelf:
    """Rows that share a state: those of an unpartitioned table under an SQL condition.

    `name` is in the deduplication tokens; `missing` returns those rows of a frame that the shelf
    does not hold.
    """

    name: str
    table: str
    condition: str
    columns: Mapping[str, Column]
    missing: Callable[[pl.DataFrame], pl.DataFrame]


def add_once(
    store: Store,
    shelf: Shelf,
    frame: pl.DataFrame,
    abandoned: threading.Event,
    *,
    clock: Clock = time.monotonic,
) -> None:
    """Add the rows of a frame that the shelf does not hold yet; no two of them share a key.

    Blocks until all rows are in the table, fsynced; a server that is away is waited for.

    Raises:
        AbandonedError: `abandoned` was set; the rows may have landed, or may land yet.
        StoreError: the server refused; the call can be repeated.
        ValueError: the frame is not of the table's types.
    """
    where = f"FROM {shelf.table} WHERE {shelf.condition}"

    def count() -> int:
        return int(store.query_frame(f"SELECT count() {where}").item())

    while True:
        state = wait_for(count, abandoned)
        missing = wait_for(lambda: shelf.missing(frame), abandoned)
        if missing.is_empty():
            return
        body = arrow_body(missing, shelf.columns)
        statement = (
            f"INSERT INTO {shelf.table} ({', '.join(shelf.columns)}) "
            f"SELECT * FROM {arrow_input(shelf.columns)} "
            f"WHERE throwIf((SELECT count() {where}) != {state}, 'rows were added') = 0 "
            f"ORDER BY {next(iter(shelf.columns))} FORMAT ArrowStream"
        )

        def send(
            attempt: int, state: int = state, statement: str = statement, body: bytes = body
        ) -> None:
            token = f"{shelf.name}:{state}:{attempt}"
            store.insert_arrow(statement, body, one_block(token, store.append_seconds))

        advance(state, count, send, bound=store.append_seconds, abandoned=abandoned, clock=clock)
