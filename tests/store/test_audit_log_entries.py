"""Entries of the published endpoint, against rows read one by one."""

from __future__ import annotations

import json
import random
import threading
from datetime import UTC, datetime
from typing import Any

import polars as pl

from auditstream.store.append import append_events
from auditstream.store.audit_log_entries import entry_shape
from auditstream.store.connection import Store
from auditstream.store.event_filter import EventFilter
from auditstream.store.read_events import read_page
from tests.store.rows import STREAM, event_rows

STATIC = [
    *("group_id", "group_name", "member_id", "member_username", "member_email"),
    *("role", "previous_role", "outcome", "outcome_reason"),
    *("correlation_id", "causation_id", "request_id"),
]
NAMES = [*STATIC, "pairs", "context", "key", "", 'a"b', "é\\", "x\n"]
VALUES = ["", "v", '"context":{', '{"pairs":[],', "],", "\\", "Ärger\u2028\t", "}"]
ROWS = 400


def context_of(row: dict[str, Any]) -> dict[str, str]:
    """Return what an entry's context is to hold."""
    static = {name: row[name] or "" for name in STATIC}
    static["outcome"] = "" if row["outcome"] == "success" else row["outcome"]
    static |= {name: static[name].lower() for name in ("role", "previous_role")}
    for pair in row["metadata"]:
        static.setdefault(pair["key"], pair["value"])
    return {name: value for name, value in static.items() if value}


def test_context_holds_columns_and_pairs(store: Store) -> None:
    """Whatever a producer sent along: of several pairs with a name the first counts."""
    draw = random.Random(3)
    metadata = [
        [
            {"key": draw.choice(NAMES), "value": draw.choice(VALUES)}
            for _ in range(draw.choice((0, 1, 2, 6)))
        ]
        for _ in range(ROWS)
    ]
    frame = event_rows(ROWS, workspaces=1)
    rows = frame.with_columns(
        pl.Series("metadata", metadata, frame.schema["metadata"]),
        pl.Series("entity_name", [draw.choice(VALUES) for _ in range(ROWS)]),
    )
    append_events(store, STREAM, 0, None, rows, threading.Event())
    wanted = EventFilter(f"{0:016x}", datetime(2025, 1, 1, tzinfo=UTC))
    page = read_page(
        store, entry_shape("workspace-0"), wanted, snapshot=None, after=None, limit=ROWS
    )
    entries = {entry["id"]: entry for entry in map(json.loads, page.lines)}
    assert len(entries) == ROWS
    for row in rows.iter_rows(named=True):
        entry = entries[str(row["event_id"])]
        assert entry["context"] == context_of(row)
        assert entry["entity"] == {
            name: row[name] for name in ("entity_name", "entity_type", "entity_id")
        }
        assert entry["actor"] == {
            "ip": row["actor_ip"],
            "user_agent": row["actor_user_agent"],
            "user_id": row["actor_id"],
            "username": row["actor_username"],
        }
        assert "pairs" not in entry
