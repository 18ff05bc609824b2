"""The engines that tests compare: rules over a frame, and over the table."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import polars as pl

from auditstream.rules.rule import Rule
from auditstream.rules.to_polars import compile_polars
from auditstream.rules.to_sql import compile_sql
from auditstream.store.arrow import arrow_body, arrow_input
from auditstream.store.columns import EVENTS
from auditstream.store.connection import Store

Hits = list[list[int]]
"""For each rule the numbers of the events for which it fires."""

LONG = {
    "max_query_size": 1 << 28,
    "max_ast_elements": 1 << 24,
    "max_expanded_ast_elements": 1 << 24,
}


def stream_hits(rules: Sequence[Rule], events: pl.DataFrame) -> Hits:
    """Return the hits in Polars; fails on a null."""
    fires = events.select(
        compile_polars(rule).alias(str(number)) for number, rule in enumerate(rules)
    )
    assert set(fires.dtypes) <= {pl.Boolean()}
    assert not any(column.null_count() for column in fires)
    return [column.arg_true().to_list() for column in fires]


class History:
    """The hits in ClickHouse, of events that are appended for the purpose."""

    _numbers = itertools.count()

    def __init__(self, store: Store) -> None:
        self.store = store

    def hits(self, rules: Sequence[Rule], events: pl.DataFrame) -> Hits:
        """Return the hits of events in the table; fails on a NULL."""
        database, stream = self.store.database, f"rules-{next(self._numbers)}"
        frame = events.with_columns(
            stream=pl.lit(stream), kafka_offset=pl.int_range(pl.len(), dtype=pl.Int64)
        )
        self.store.insert_arrow(
            f"INSERT INTO {database}.events ({', '.join(EVENTS)}, partition_month) "
            f"SELECT *, toDate('2026-01-01') FROM {arrow_input(EVENTS)} FORMAT ArrowStream",
            arrow_body(frame, EVENTS),
        )
        columns = ", ".join(f"toUInt8({compile_sql(rule)}) AS h{n}" for n, rule in enumerate(rules))
        found = self.store.query_frame(
            f"SELECT {columns} FROM {database}.events AS e WHERE e.stream = '{stream}' "
            "ORDER BY kafka_offset",
            settings=LONG,
        )
        assert set(found.dtypes) <= {pl.UInt8()}
        assert found.height == events.height
        return [(column == 1).arg_true().to_list() for column in found]
