"""Which events of a workspace are wanted, and how that is said in SQL."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, TypeAlias

from auditstream.store.sql import literal, literals
from auditstream.store.tokens import microseconds

TimeColumn: TypeAlias = Literal["occurred_at", "ingested_at"]

_BOUNDS: Final = (0, 7_258_118_400_000_000)
"""From 1970 to 2200, in microseconds: what the column can hold, and every event lies within."""


def _is(*columns: str) -> Callable[[Sequence[str]], str]:
    """Return what says that any of the columns has one of the values."""

    def condition(values: Sequence[str]) -> str:
        return _any(f"ifNull(e.{column} IN ({literals(values)}), 0)" for column in columns)

    return condition


def _at_least(values: Sequence[str]) -> str:
    return f"e.severity >= {literal(values[0])}"


def _role_change(values: Sequence[str]) -> str:
    comparisons = {"raised": "> 0", "lowered": "< 0", "unchanged": "= 0"}
    return _any(f"ifNull(e.role_change {comparisons[value]}, 0)" for value in values)


def _mentions(values: Sequence[str]) -> str:
    found = (
        f"(positionCaseInsensitiveUTF8(e.sentence, {literal(value)}) > 0 "
        "OR arrayExists(item -> positionCaseInsensitiveUTF8(item.2, "
        f"{literal(value)}) > 0, e.metadata))"
        for value in values
    )
    return f"({' AND '.join(found)})"


def _any(conditions: object) -> str:
    return f"({' OR '.join(conditions)})"  # type: ignore[arg-type]


_CONDITIONS: Final[Mapping[str, Callable[[Sequence[str]], str]]] = {
    "action": _is("action"),
    "category": _is("category"),
    "severity": _at_least,
    "actor": _is("actor_id", "actor_username", "actor_email"),
    "actor_id": _is("actor_id"),
    "actor_type": _is("actor_type"),
    "username": _is("actor_username"),
    "ip": _is("actor_ip"),
    "entity": _is("entity_id", "entity_name"),
    "entity_id": _is("entity_id"),
    "entity_type": _is("entity_type"),
    "entity_name": _is("entity_name"),
    "group": _is("group_id", "group_name"),
    "group_id": _is("group_id"),
    "member_id": _is("member_id"),
    "member": _is("member_id", "member_username", "member_email"),
    "role": _is("role"),
    "role_change": _role_change,
    "outcome": _is("outcome"),
    "source": _is("source_service"),
    "correlation_id": _is("correlation_id"),
    "request_id": _is("request_id"),
    "text": _mentions,
}


@dataclass(frozen=True)
class EventFilter:
    """Events of one workspace from `since` on and before `until`, by occurrence or by arrival.

    `wanted` has values by the name of a condition; an event meets every condition with one of its
    values. Values of `text` are all found in the sentence or in the metadata; `severity` is the
    least one; `role_change` is raised, lowered or unchanged.
    """

    workspace_id: str
    since: datetime | None = None
    until: datetime | None = None
    time: TimeColumn = "occurred_at"
    wanted: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def where(self) -> str:
        """Return the SQL condition on rows `e` of events."""
        conditions = [f"e.workspace_id = {literal(self.workspace_id)}"]
        if self.since is not None:
            conditions.append(f"e.{self.time} >= {moment(microseconds(self.since))}")
        if self.until is not None:
            conditions.append(f"e.{self.time} < {moment(microseconds(self.until))}")
        conditions += [_CONDITIONS[name](values) for name, values in self.wanted.items() if values]
        return " AND ".join(conditions)

    def canonical(self) -> bytes:
        """Return bytes that are equal for filters that ask for the same."""
        bounds = [moment and microseconds(moment) for moment in (self.since, self.until)]
        wanted = {name: sorted(set(values)) for name, values in self.wanted.items() if values}
        form = [self.workspace_id, *bounds, self.time, wanted]
        return json.dumps(form, sort_keys=True).encode()


def moment(number: int) -> str:
    """Return microseconds since 1970 as a time in SQL, moved to within 1970 and 2200."""
    low, high = _BOUNDS
    return f"fromUnixTimestamp64Micro({min(max(number, low), high)}, 'UTC')"
