"""Alerts of a workspace as JSON, each with the changes of its state."""
# ruff: noqa: S608 - names come from checked settings, values from store.sql

from __future__ import annotations

from collections.abc import Collection
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
_CHANGES: Final = (
    "Array(Tuple(number UInt32, at DateTime64(6, 'UTC'), state String, by String, reason String))"
)


def read_alerts(store: Store, workspace_id: str, alert_ids: Collection[UUID]) -> list[bytes]:
    """Return those alerts that the workspace has, each a JSON object, in no order.

    Beside the columns of the table they have `state` and `transitions`. Blocks, and raises what
    `Store` raises.
    """
    if not alert_ids:
        return []
    among = f"IN ({', '.join(f'toUUID({literal(str(number))})' for number in alert_ids)})"
    body = store.query_raw(
        f"SELECT {_SELECTED}, if(empty(c.made), 'open', c.made[-1].state) AS state, "
        "c.made AS transitions "
        f"FROM {store.database}.alerts AS a LEFT JOIN "
        "(SELECT alert_id, CAST(arraySort(made -> made.1, "
        f"groupArray((number, at, t.state, by, reason))), {literal(_CHANGES)}) AS made "
        f"FROM {store.database}.alert_transitions AS t WHERE alert_id {among} GROUP BY alert_id"
        ") AS c ON c.alert_id = a.alert_id "
        f"WHERE a.workspace_id = {literal(workspace_id)} AND a.alert_id {among}",
        "JSONEachRow",
        JSON_SETTINGS,
    )
    return json_lines(store, body)
