"""A story in the tables of a workspace, as the worker would have stored it: for the pages."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import polars as pl

from auditstream.store.alerts import append_alerts
from auditstream.store.append import append_events
from auditstream.store.connection import Store
from auditstream.store.rejects import append_rejects
from auditstream.story import Story
from tests.story.test_through_pipeline import NOW, processed

EVENTS = 300
NEVER = threading.Event()


@dataclass(frozen=True)
class Told:
    """The workspace that has the most to tell, and its events."""

    workspace_id: str
    workspace_username: str
    events: pl.DataFrame


def tell(store: Store, seed: int = 7, events: int = EVENTS) -> Told:
    """Store a story with its alerts and rejects."""
    found = processed(Story(seed, events, NOW))
    append_events(store, "c/t/i", 0, None, found.events, NEVER)
    append_rejects(store, found.rejects, NEVER)
    append_alerts(store, found.alerts, NEVER)
    names = found.events.select("workspace_id", "workspace_username").to_series(0).cast(pl.String)
    workspace = names.value_counts(sort=True)["workspace_id"][0]
    own = found.events.filter(pl.col("workspace_id").cast(pl.String) == workspace)
    return Told(workspace, str(own["workspace_username"][0]), own)
