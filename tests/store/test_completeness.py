"""Completeness as a workspace sees it tells nothing of other workspaces."""

from __future__ import annotations

import threading

import polars as pl

from auditstream.store.append import append_events
from auditstream.store.completeness import Missing, missing_of
from auditstream.store.connection import Store
from tests.store.rows import STREAM, event_rows


def test_gaps_of_a_shared_source(store: Store) -> None:
    """How much is missing is told; where and when is not, since it may be another workspace's."""
    rows = event_rows(3).with_columns(
        workspace_id=pl.Series(["mine", "theirs", "theirs"]),
        source_service=pl.lit("studio"),
        source_instance=pl.lit("pod-1"),
        source_epoch=pl.lit(1),
        source_sequence=pl.Series([1, 5, 9]),
    )
    append_events(store, STREAM, 0, None, rows, threading.Event())
    assert missing_of(store, "mine") == [Missing("studio", "pod-1", gaps=2, missing=6)]
    assert missing_of(store, "others") == []
