"""Events as JSON, page by page in a fixed order.

ClickHouse writes the JSON; here its lines are counted and the last one is read, so that a page
costs little. A page begins after a position, the time and id of an event, and not at a number of
rows: its cost is the same at any depth, and what arrives meanwhile moves nothing.
"""
# ruff: noqa: S608 - names come from checked settings, values from store.sql

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Final, Literal
from uuid import UUID

from auditstream.errors import ServiceUnavailableError
from auditstream.store.columns import EVENTS
from auditstream.store.connection import SettingValue, Store
from auditstream.store.event_filter import EventFilter, TimeColumn, moment
from auditstream.store.snapshot import Snapshot
from auditstream.store.sql import literal
from auditstream.store.tokens import EPOCH

JSON_SETTINGS: Final[Mapping[str, SettingValue]] = {
    "date_time_output_format": "iso",
    "output_format_json_quote_64bit_integers": 0,
    "output_format_json_escape_forward_slashes": 0,
    "output_format_json_named_tuples_as_objects": 1,
    "readonly": 2,
    "max_threads": 1,
    "max_read_buffer_size_local_fs": 65_536,
    "query_plan_max_limit_for_lazy_materialization": 10_000,
}
_LATEST: Final = datetime(2100, 1, 1, tzinfo=UTC)
FAILED: Final = b"\r\n__exception__\r\n"
_NOT_TOLD: Final = frozenset({"stream", "event_id_minute"})


@dataclass(frozen=True)
class Position:
    """Where a page ends: microseconds since 1970 and id of its last event."""

    at: int
    event_id: str


@dataclass(frozen=True)
class Shape:
    """What is told of an event: SQL of its columns by name, and which are its id and time.

    `settings` are those that ClickHouse needs to write it in `form`, a format of one line an event;
    `finish` makes such a line a JSON object.
    """

    columns: Mapping[str, str]
    id_name: str
    time_name: Mapping[TimeColumn, str]
    settings: Mapping[str, SettingValue] = field(default_factory=dict)
    finish: Callable[[bytes], bytes] | None = None
    form: Literal["JSONEachRow", "Template"] = "JSONEachRow"

    @cached_property
    def clause(self) -> str:
        """The settings as the end of a statement: as parts of a URL, long ones cost the client."""
        told = (
            f"{name} = {literal(value) if isinstance(value, str) else value}"
            for name, value in self.settings.items()
        )
        return f" SETTINGS {', '.join(told)}" if self.settings else ""

    def select(self) -> str:
        """Return the list of a SELECT from events `e`."""
        return ", ".join(f"{sql} AS `{name}`" for name, sql in self.columns.items())


@dataclass(frozen=True)
class Page:
    """Events as JSON objects. `last` is the position of the last; `more` if others follow."""

    lines: tuple[bytes, ...]
    last: Position | None
    more: bool

    @property
    def array(self) -> bytes:
        """The events as a JSON array."""
        return b"[" + b",".join(self.lines) + b"]"


EVENT_SHAPE: Final = Shape(
    {
        name: f"toString(e.{name})" if name in ("event_id", "severity") else f"e.{name}"
        for name in EVENTS
        if name not in _NOT_TOLD
    },
    "event_id",
    {"occurred_at": "occurred_at", "ingested_at": "ingested_at"},
)
"""An event under the names of the table's columns."""


def read_page(
    store: Store,
    shape: Shape,
    wanted: EventFilter,
    *,
    snapshot: Snapshot | None,
    after: Position | None,
    limit: int,
    newest_first: bool = True,
) -> Page:
    """Return the events that follow position `after`, or the first ones, at most `limit`.

    They are in the order of the filter's time and then of their ids. With a snapshot, only what was
    stored then. Blocks for some milliseconds to seconds, by what the filter leaves to read.

    Raises:
        ServiceUnavailableError, StoreError: see `Store`.
    """
    direction, comparison = ("DESC", "<") if newest_first else ("ASC", ">")
    conditions = [wanted.where()]
    if snapshot is not None:
        conditions.append(snapshot.includes())
    if after is not None:
        at = moment(after.at)
        # The first of the two prunes by the primary key.
        conditions.append(f"e.{wanted.time} {comparison}= {at}")
        conditions.append(
            f"(e.{wanted.time}, e.event_id) {comparison} ({at}, toUUID({literal(after.event_id)}))"
        )
    body = store.query_raw(
        f"SELECT {shape.select()} FROM {store.database}.events AS e "
        f"WHERE {' AND '.join(conditions)} "
        f"ORDER BY e.{wanted.time} {direction}, e.event_id {direction} LIMIT {limit + 1}"
        f"{shape.clause}",
        shape.form,
        JSON_SETTINGS,
    )
    lines = json_lines(store, body)
    kept = lines[:limit] if shape.finish is None else list(map(shape.finish, lines[:limit]))
    last = position(shape, wanted.time, kept[-1]) if kept else None
    return Page(tuple(kept), last, len(lines) > limit)


def position(shape: Shape, time: TimeColumn, line: bytes) -> Position:
    """Return the position of an event of a page, in the order of a time."""
    row = json.loads(line)
    return Position(micros(row[shape.time_name[time]]), row[shape.id_name])


def count_events(store: Store, wanted: EventFilter, snapshot: Snapshot) -> int:
    """Return how many events of a snapshot a filter leaves. Blocks; raises what `Store` raises."""
    return int(
        store.query_frame(
            f"SELECT count() FROM {store.database}.events AS e "
            f"WHERE {wanted.where()} AND {snapshot.includes()}"
        ).item()
    )


def json_lines(store: Store, body: bytes) -> list[bytes]:
    """Return the lines of an answer whose lines each end in a JSON object.

    Raises:
        ServiceUnavailableError: the answer broke off.
    """
    if FAILED in body or (body and not body.endswith(b"}\n")):
        raise ServiceUnavailableError(f"ClickHouse at {store.url} did not answer in full")
    return body.splitlines() if body else []


def id_minute(event_id: UUID) -> str:
    """Return an SQL condition on rows `e` that narrows the search for an event id, or `1`."""
    milliseconds = event_id.int >> 80
    at = EPOCH + timedelta(milliseconds=milliseconds) if milliseconds < 1 << 42 else EPOCH
    if event_id.version != 7 or not datetime(2000, 1, 1, tzinfo=UTC) <= at <= _LATEST:
        return "1"
    minute = milliseconds * 1_000 // 60_000_000 * 60_000_000
    return f"e.event_id_minute = {moment(minute)}"


def micros(text: str) -> int:
    """Return a time in ISO 8601 as microseconds since 1970."""
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)
