"""Adding rows to a table that never holds two with the same key."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from auditstream.store.advance import Clock, advance
from auditstream.store.arrow import ONE_BLOCK, arrow_body, arrow_input
from auditstream.store.columns import Column
from auditstream.store.connection import Store


@dataclass(frozen=True)
class Shelf:
    """The rows of a table of one ClickHouse partition under the condition `where`, in SQL.

    `name` tells it from every other shelf; `present` returns which of the rows of a frame it
    holds, by their keys.
    """

    name: str
    table: str
    where: str
    columns: dict[str, Column]
    present: Callable[[pl.DataFrame], pl.Series]


def add_once(
    store: Store,
    shelf: Shelf,
    frame: pl.DataFrame,
    abandoned: threading.Event,
    *,
    clock: Clock = time.monotonic,
) -> None:
    ...
