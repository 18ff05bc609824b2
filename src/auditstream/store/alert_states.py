"""Alerts with their current state: what lists of alerts show."""
# ruff: noqa: S608 - names come from checked settings, values are parameters

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias, get_args

from auditstream.store.connection import Store

State: TypeAlias = Literal["open", "acknowledged", "resolved", "reopened"]
STATES: Final[tuple[State, ...]] = get_args(State)

_TEXT: Final = ("alert_id", "level")


@dataclass(frozen=True)
class AlertState:
    """A row of the view `alert_states`; its columns' comments say what the fields are."""

    alert_id: str
    rule_id: str
    rule_title: str
    level: str
    state: State
    state_by: str
    state_at: datetime
    state_reason: str
    sentence: str
    actor: str
    whom: str
    entity: str
    workspace_id: str
    workspace_username: str
    occurred_at: datetime
    detected_at: datetime
    event_count: int
    late: bool
    retroactive: bool


@dataclass(frozen=True)
class AlertFilter:
    """Which alerts are meant; what is None or empty is no condition.

    `level` is the lowest one; `since` and `before` are about `occurred_at`, the second exclusive.
    """

    states: tuple[State, ...] = ()
    level: str | None = None
    rule_id: str | None = None
    workspace_id: str | None = None
    actor: str | None = None
    entity: str | None = None
    alert_id: str | None = None
    alert_ids: tuple[str, ...] = ()
    since: datetime | None = None
    before: datetime | None = None


Place: TypeAlias = tuple[datetime, str]
"""Where a page ended: `occurred_at` and `alert_id` of its last alert."""


def list_states(
    store: Store, wanted: AlertFilter, limit: int, after: Place | None = None
) -> list[AlertState]:
    """Return alerts with their state, the newest first by occurrence; behind `after`, if given.

    Blocks, and raises what `Store` raises.
    """
    conditions, parameters = _conditions(wanted)
    if after is not None:
        conditions.append(
            "(occurred_at < fromUnixTimestamp64Micro({place:Int64}) OR "
            "(occurred_at = fromUnixTimestamp64Micro({place:Int64}) AND alert_id < {last:UUID}))"
        )
        parameters |= {"place": microseconds(after[0]), "last": after[1]}
    names = [field.name for field in fields(AlertState)]
    inner = ", ".join(f"s.{name} AS {name}" for name in names)
    shown = ", ".join(f"toString({n}) AS {n}" if n in _TEXT else n for n in names)
    found = store.query_frame(
        f"SELECT {shown} FROM (SELECT {inner} FROM {store.database}.alert_states AS s "
        f"WHERE {' AND '.join(conditions)} ORDER BY occurred_at DESC, s.alert_id DESC "
        f"LIMIT {limit})",
        parameters,
    )
    return [AlertState(**row) for row in found.to_dicts()]


def microseconds(moment: datetime) -> int:
    """Return a time as microseconds since 1970-01-01."""
    return round(moment.timestamp() * 1_000_000)


def _conditions(wanted: AlertFilter) -> tuple[list[str], dict[str, Any]]:
    conditions, parameters = ["1"], dict[str, Any]()
    if wanted.states:
        conditions.append("state IN {states:Array(String)}")
        parameters["states"] = list(wanted.states)
    if wanted.level is not None:
        conditions.append("level >= {level:String}")
        parameters["level"] = wanted.level
    for name in ("rule_id", "workspace_id", "actor", "entity"):
        if (value := getattr(wanted, name)) is not None:
            conditions.append(f"{name} = {{{name}:String}}")
            parameters[name] = value
    if wanted.alert_id is not None:
        conditions.append("alert_id = {alert_id:UUID}")
        parameters["alert_id"] = wanted.alert_id
    if wanted.alert_ids:
        conditions.append("alert_id IN {alert_ids:Array(UUID)}")
        parameters["alert_ids"] = list(wanted.alert_ids)
    for name, sign in (("since", ">="), ("before", "<")):
        if (moment := getattr(wanted, name)) is not None:
            conditions.append(f"occurred_at {sign} fromUnixTimestamp64Micro({{{name}:Int64}})")
            parameters[name] = microseconds(moment)
    return conditions, parameters
