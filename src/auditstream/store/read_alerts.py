"""Alerts of a workspace as JSON."""
# ruff: noqa: S608 - names come from checked settings, values from store.sql

from __future__ import annotations

from typing import Final
from uuid import UUID

from auditstream.store.columns import ALERTS
from auditstream.store.connection import Store
from auditstream.store.read_events import JSON_SETTINGS, json_lines
from auditstream.store.sql import literal

_SELECTED: Final = ", ".join(
    f"toString(a.{name}) AS {name}" if name in ("alert_id", "level") else f"a.{name} AS {name}"
    for name in ALERTS
)


def read_alerts(
    store: Store,
    workspace_id: str,
    *,
    alert_id: UUID | None = None,
    rule_id: str | None = None,
    level: str | None = None,
    limit: int = 100,
) -> list[bytes]:
    """Return alerts of a workspace, the newest first by detection, each a JSON object.

    `level` is the least one. Blocks, and raises what `Store` raises.
    """
    conditions = [f"a.workspace_id = {literal(workspace_id)}"]
    if alert_id is not None:
        conditions.append(f"a.alert_id = toUUID({literal(str(alert_id))})")
    if rule_id is not None:
        conditions.append(f"a.rule_id = {literal(rule_id)}")
    if level is not None:
        conditions.append(f"a.level >= {literal(level)}")
    body = store.query_raw(
        f"SELECT {_SELECTED} FROM {store.database}.alerts AS a "
        f"WHERE {' AND '.join(conditions)} ORDER BY a.detected_at DESC, a.alert_id LIMIT {limit}",
        "JSONEachRow",
        JSON_SETTINGS,
    )
    return json_lines(store, body)
