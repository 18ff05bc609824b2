"""Alerts and the events that they name: from the one to the other."""
# ruff: noqa: S608 - names come from checked settings, values from store.sql

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from auditstream.store.alert_states import AlertFilter, AlertState, list_states
from auditstream.store.connection import Store
from auditstream.store.read_events import JSON_SETTINGS, Shape, id_minute, json_lines
from auditstream.store.sql import literal, literals

MOST: Final = 100


def alerts_naming(store: Store, workspace_id: str, event_id: UUID) -> list[AlertState]:
    """Return alerts of a workspace that name an event, as evidence or as a repeat; newest first.

    At most 100. Blocks for some milliseconds; raises what `Store` raises.
    """
    alerts, hits = f"{store.database}.alerts", f"{store.database}.alert_hits"
    named = literal(str(event_id))
    found = store.query_frame(
        f"SELECT toString(a.alert_id) AS alert_id FROM {alerts} AS a "
        f"WHERE a.workspace_id = {literal(workspace_id)} "
        f"AND has(a.evidence.event_id, toUUID({named})) "
        f"UNION DISTINCT SELECT toString(h.alert_id) FROM {hits} AS h "
        f"WHERE has(h.event_ids, {named}) LIMIT {MOST}"
    )["alert_id"]
    if not found.len():
        return []
    wanted = AlertFilter(workspace_id=workspace_id, alert_ids=tuple(found))
    return list_states(store, wanted, MOST)


def read_named(
    store: Store, shape: Shape, workspace_id: str, event_ids: Sequence[str]
) -> list[bytes]:
    """Return events of a workspace by their ids, the oldest first, as JSON in a shape.

    At most 100; what is not there, or is another workspace's, is left out. Blocks for some
    milliseconds; raises what `Store` raises.
    """
    wanted = [UUID(event_id) for event_id in event_ids[:MOST]]
    if not wanted:
        return []
    minutes = " OR ".join(sorted({id_minute(event_id) for event_id in wanted}))
    body = store.query_raw(
        f"SELECT {shape.select()} FROM {store.database}.events AS e "
        f"WHERE e.workspace_id = {literal(workspace_id)} "
        f"AND e.event_id IN ({literals(map(str, wanted))}) AND ({minutes}) "
        f"ORDER BY e.occurred_at, e.event_id",
        "JSONEachRow",
        JSON_SETTINGS,
    )
    return json_lines(store, body)
