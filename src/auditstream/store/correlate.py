"""Queries of rules over several events: bounded in time and memory, and read-only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import polars as pl

from auditstream.store.connection import SettingValue, Store
from auditstream.store.sql import LONG_QUERY, PATIENT

MAX_SECONDS: Final = 30.0
MAX_BYTES: Final = 2 << 30

_PLAIN: Final[Mapping[str, SettingValue]] = {
    # No two of these queries are alike: compiling them took longer than running them.
    "compile_expressions": 0,
    "compile_aggregate_expressions": 0,
    "compile_sort_description": 0,
}
_DEEP: Final[Mapping[str, SettingValue]] = {
    # A chain is a query within queries, a group one literal.
    "max_subquery_depth": 1_000,
    "max_expanded_ast_elements": 10_000_000,
    "max_ast_elements": 10_000_000,
}


def asker(
    store: Store, *, max_seconds: float = MAX_SECONDS, max_bytes: int = MAX_BYTES
) -> Callable[[str], pl.DataFrame]:
    """Return a function that sends a query and returns its rows.

    It blocks for `max_seconds` of ClickHouse's time at most, and raises what `Store` raises:
    StoreError as well for a query that would take longer, or more than `max_bytes` of memory.
    """
    settings: dict[str, SettingValue] = {
        **LONG_QUERY,
        **PATIENT,
        **_DEEP,
        **_PLAIN,
        "readonly": 2,
        "max_execution_time": max_seconds,
        "max_memory_usage": max_bytes,
    }

    def ask(sql: str) -> pl.DataFrame:
        return store.query_frame(sql, settings=settings)

    return ask
