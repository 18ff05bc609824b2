"""An event, and those that belong to it: of the same operation, its cause, its effects."""
# ruff: noqa: S608 - names come from checked settings, values from store.sql

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from auditstream.store.connection import Store
from auditstream.store.event_filter import moment
from auditstream.store.read_events import EVENT_SHAPE, JSON_SETTINGS, id_minute, json_lines, micros
from auditstream.store.sql import literal

NEAR: Final = timedelta(days=7)
"""How far from the event, in time, neighbours are looked for."""

MOST: Final = 100


@dataclass(frozen=True)
class Neighbourhood:
    """An event, and at most 100 others each way, in the order of their times.

    `correlated` share its correlation id; `causes` holds the one that caused it, `effects` those
    that it caused.
    """

    event: dict[str, Any]
    correlated: tuple[dict[str, Any], ...]
    causes: tuple[dict[str, Any], ...]
    effects: tuple[dict[str, Any], ...]


def read_neighbourhood(store: Store, workspace_id: str, event_id: UUID) -> Neighbourhood | None:
    """Return an event of a workspace with its neighbours; None when it has no such event.

    Neighbours are of the same workspace, and lie within 7 days of the event; a cause that is named
    by a UUID is found at any time. Blocks for milliseconds to a second.

    Raises:
        ServiceUnavailableError, StoreError: see `Store`.
    """
    found = _read(store, workspace_id, _is(event_id))
    if not found:
        return None
    event = found[0]
    at, reach = micros(event["occurred_at"]), NEAR // timedelta(microseconds=1)
    near = f"e.occurred_at BETWEEN {moment(at - reach)} AND {moment(at + reach)}"
    others = f"{near} AND e.event_id != toUUID({literal(str(event_id))})"
    correlated, causes = [], []
    if event["correlation_id"] is not None:
        same = f"e.correlation_id = {literal(event['correlation_id'])}"
        correlated = _read(store, workspace_id, f"{others} AND {same}")
    if (cause := _uuid(event["causation_id"])) is not None:
        causes = _read(store, workspace_id, _is(cause))
    caused = f"{others} AND e.causation_id = {literal(str(event_id))}"
    effects = _read(store, workspace_id, caused)
    return Neighbourhood(event, tuple(correlated), tuple(causes), tuple(effects))


def _is(event_id: UUID) -> str:
    return f"e.event_id = toUUID({literal(str(event_id))}) AND {id_minute(event_id)}"


def _read(store: Store, workspace_id: str, condition: str) -> list[dict[str, Any]]:
    body = store.query_raw(
        f"SELECT {EVENT_SHAPE.select()} FROM {store.database}.events AS e "
        f"WHERE e.workspace_id = {literal(workspace_id)} AND {condition} "
        f"ORDER BY e.occurred_at, e.event_id LIMIT {MOST}",
        "JSONEachRow",
        JSON_SETTINGS,
    )
    return [json.loads(line) for line in json_lines(store, body)]


def _uuid(text: str | None) -> UUID | None:
    try:
        return None if text is None else UUID(text)
    except ValueError:
        return None
