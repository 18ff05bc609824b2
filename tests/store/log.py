"""A log told by hand: short events through the real pipeline into the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any, Final

from auditstream.contract.catalogue import Catalogue, shipped_catalogue
from auditstream.pipeline.pipeline import Pipeline
from auditstream.store.append import append_events
from auditstream.store.connection import Store
from auditstream.store.history import StoredHistory
from tests.pipeline.batches import builtin_rules
from tests.pipeline.events import encode, micros, records, uuid7

DAY: Final = datetime(2025, 5, 1, tzinfo=UTC)


def at(hours: float) -> datetime:
    """Return a time by its hours from the beginning of the story."""
    return DAY + timedelta(hours=hours)


class Log:
    """Appends short events to the table, in the order in which they are given."""

    def __init__(self, store: Store, catalogue: Catalogue | None = None) -> None:
        self.store = store
        self.ids: dict[str, str] = {}
        self._catalogue = catalogue or shipped_catalogue()
        self._clock = DAY
        self._pipeline = Pipeline(self._catalogue, builtin_rules(), clock=lambda: self._clock)
        self._offset = 0

    def arrive(self, hours: float, *events: Mapping[str, Any]) -> None:
        """Store events that all arrive at once, so many hours into the story."""
        self._clock = at(hours)
        values = [encode(self._event(short, number)) for number, short in enumerate(events)]
        keys = [str(short.get("workspace", "w1")).encode() for short in events]
        offsets = range(self._offset, self._offset + len(events))
        history = StoredHistory(self.store, self._catalogue)
        done = self._pipeline.process(records(values, keys, offsets=offsets), history)
        assert done.rejects.is_empty(), done.rejects["message"].to_list()
        stream = done.events["stream"][0]
        expected = self._offset - 1 if self._offset else None
        append_events(self.store, stream, 0, expected, done.events, Event())
        self._offset += len(events)

    def _event(self, short: Mapping[str, Any], number: int) -> dict[str, Any]:
        action = self._catalogue[short["action"]]
        moment = at(short["hours"])
        number += self._offset
        entity = short.get("entity", short.get("workspace", "w1"))
        found: dict[str, Any] = {
            "event_id": uuid7(number, moment),
            "action": action.name,
            "occurred_at": micros(moment),
            "workspace_id": short.get("workspace", "w1"),
            "workspace_username": "acme",
            "actor": person(short.get("actor", "ana"))
            | {"type": "user", "ip": "10.0.0.1"}
            | short.get("request", {}),
            "entity": {"type": action.entity_type, "id": entity, "name": entity.title()},
            "outcome": short.get("outcome", "success"),
            "source": {
                "service": "console",
                "instance": "pod-1",
                "epoch": 1,
                "sequence": number + 1,
            }
            | short.get("source", {}),
        }
        if "member" in short:
            found["member"] = person(short["member"])
        if "group" in short:
            found["group"] = {"id": short["group"], "name": short["group"].title()}
        found |= {key: short[key] for key in ("role", "previous_role", "metadata") if key in short}
        if "name" in short:
            self.ids[short["name"]] = found["event_id"]
        return found


def act(action: str, hours: float, entity: str = "w1", **fields: Any) -> dict[str, Any]:
    """Return a short event: who (`actor`) did what to `entity`, when, about `member` or `group`."""
    return {"action": action, "hours": hours, "entity": entity, **fields}


def person(name: str) -> dict[str, str]:
    """Return a person, whose identifier is the name with `u-` before it."""
    return {"id": f"u-{name}", "username": name, "email": f"{name}@example.org"}


def rows(store: Store, sql: str, **parameters: Any) -> Sequence[tuple[Any, ...]]:
    """Return the rows of a query in the story's database, which `{database}` stands for."""
    return store.query_frame(sql.replace("{database}", store.database), parameters).rows()
