"""SQL of the command line."""

from __future__ import annotations

import json
from threading import Event

import pytest

from auditstream.errors import StoreError
from auditstream.store.connection import Store
from auditstream.store.query import CSV, JSON, Table, list_columns, query_table, query_text
from auditstream.store.rejects import append_rejects
from tests.store.rows import reject_rows

SELECT = "SELECT 1 AS n, 'it''s \u00e9' AS text, NULL AS nothing, [1, 2] AS list -- done"


def test_a_table(store: Store) -> None:
    """Columns, types and values come as they are."""
    table = query_table(store, SELECT)
    assert table.columns == ("n", "text", "nothing", "list")
    assert table.types[:2] == ("UInt8", "String")
    assert table.rows == ((1, "it's \u00e9", None, [1, 2]),)


def test_formats(store: Store) -> None:
    """JSON and CSV come in ClickHouse's own formats."""
    expected = {"n": 1, "text": "it's \u00e9", "nothing": None, "list": [1, 2]}
    assert json.loads(query_text(store, SELECT, JSON)) == expected
    assert query_text(store, "SELECT 1 AS a, 'x,\"y' AS b;", CSV) == '"a","b"\n1,"x,""y"\n'


def test_names_are_of_the_database(store: Store) -> None:
    """A table needs no database before its name."""
    assert query_table(store, "SELECT count() AS n FROM events").rows == ((0,),)


def test_bytes_that_are_no_text(store: Store) -> None:
    """Raw bytes do not break the output."""
    append_rejects(store, reject_rows([1]), Event())
    assert len(query_table(store, "SELECT value FROM rejected_events").rows) == 1


def test_only_reading_unless_told(store: Store) -> None:
    """What would change something is refused, and runs with read_only=False."""
    drop = "DROP TABLE alerts SYNC"
    with pytest.raises(StoreError, match="READONLY"):
        query_table(store, drop)
    assert query_table(store, drop, read_only=False) == Table((), (), ())
    with pytest.raises(StoreError, match="UNKNOWN_TABLE"):
        query_table(store, "SELECT * FROM alerts")


def test_a_format_of_its_own(store: Store) -> None:
    """A FORMAT clause goes before as text, and makes no table."""
    assert query_text(store, "SELECT 1 AS a FORMAT TSVWithNames", JSON) == "a\n1\n"
    with pytest.raises(StoreError, match="leave FORMAT out"):
        query_table(store, "SELECT 1 FORMAT TSV")


def test_columns_for_completion(store: Store) -> None:
    """Tables are listed with their columns in order."""
    tables = list_columns(store)
    assert {"events", "rejected_events", "alerts", "access_grants"} <= set(tables)
    assert tables["events"][:3] == ("stream", "kafka_topic", "kafka_partition")
