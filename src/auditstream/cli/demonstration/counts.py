"""Everything counted where it is, independently: by producers, topics, tables, the notifier."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from io import BytesIO
from typing import Any

import fastavro

from auditstream.alerts.records import StoredRecord, read_topic
from auditstream.alerts.topic import decode_alert
from auditstream.contract.schemas import FRAME, parsed_schema, shipped_schemas
from auditstream.settings import Settings
from auditstream.store.connection import Store


@dataclass(frozen=True)
class TopicCounts:
    """What stands on the events topic: records, and how many of them repeat an event."""

    records: int
    repeats: int


@dataclass(frozen=True)
class TableCounts:
    """What stands in the tables."""

    events: int
    event_ids: int
    rejected: int
    alerts: int
    actions: dict[str, int]


@dataclass(frozen=True)
class Counts:
    """Every count of a story that was told."""

    published: int
    topic: TopicCounts
    table: TableCounts
    rejected_records: int
    alert_records: int
    alert_lines: int

    def contradictions(self) -> list[str]:
        """Return every place where two counts differ that must be the same; empty is good."""
        table, topic = self.table, self.topic
        due = self.published - table.rejected - topic.repeats
        pairs = [
            ("records the producers published", self.published, "on the topic", topic.records),
            ("events in the table", table.events, "published - rejected - repeats", due),
            ("events in the table", table.events, "different event ids", table.event_ids),
            ("rejected events in the table", table.rejected, "on topic", self.rejected_records),
            ("alerts in the table", table.alerts, "on the topic", self.alert_records),
            ("alerts in the table", table.alerts, "lines of the notifier", self.alert_lines),
        ]
        return [
            f"{what}: {left}, but {other}: {right}"
            for what, left, other, right in pairs
            if left != right
        ]


def settled(store: Store) -> int:
    """Return how many records are stored or rejected so far."""
    sql = (
        "SELECT (SELECT count() FROM {database:Identifier}.events) "
        "+ (SELECT count() FROM {database:Identifier}.rejected_events) AS settled"
    )
    return int(store.query_frame(sql, {"database": store.database}).item())


def count_topic(settings: Settings) -> TopicCounts:
    """Read the events topic from start to end and count records and repeats.

    A repeat is a later record with the event id and the payload of an earlier one.
    """
    first: dict[str, bytes] = {}
    records = repeats = 0
    for record in read_topic(settings, settings.events_topic):
        records += 1
        told = _told(record)
        if told is None:
            continue
        event_id, payload = told
        if event_id in first:
            repeats += first[event_id] == payload
        else:
            first[event_id] = payload
    return TopicCounts(records, repeats)


def count_tables(store: Store) -> TableCounts:
    """Count what stands in the tables."""
    names = {"database": store.database}
    actions = store.query_frame(
        "SELECT action, count() AS events FROM {database:Identifier}.events "
        "GROUP BY action ORDER BY action",
        names,
    )
    row = store.query_frame(
        "SELECT (SELECT count() FROM {database:Identifier}.events) AS events, "
        "(SELECT uniqExact(event_id) FROM {database:Identifier}.events) AS event_ids, "
        "(SELECT count() FROM {database:Identifier}.rejected_events) AS rejected, "
        "(SELECT count() FROM {database:Identifier}.alerts) AS alerts",
        names,
    ).row(0, named=True)
    return TableCounts(
        events=row["events"],
        event_ids=row["event_ids"],
        rejected=row["rejected"],
        alerts=row["alerts"],
        actions={str(action): int(count) for action, count in actions.iter_rows()},
    )


def count_rejected_records(settings: Settings) -> int:
    """Count the rejected events on their topic; one that stands there twice counts once."""
    schema = parsed_schema("rejected_event")
    places = set()
    for record in read_topic(settings, settings.rejected_topic):
        datum = _datum(record, schema)
        if datum is not None:
            places.add((datum["stream"], datum["partition"], datum["offset"]))
    return len(places)


def count_alert_records(settings: Settings) -> int:
    """Count the alerts on their topic; one that stands there twice counts once."""
    records = read_topic(settings, settings.alerts_topic)
    return len({decode_alert(record.value).alert_id for record in records})


def count_lines(lines: Iterable[str]) -> int:
    """Count the lines a notifier has printed."""
    return sum(1 for line in lines if line.strip())


def _told(record: StoredRecord) -> tuple[str, bytes] | None:
    """Return event id and a digest of the payload, None for a record that is not an event."""
    datum = _datum(record, parsed_schema("audit_event"))
    if datum is None:
        return None
    del datum["source"]
    return str(datum["event_id"]), blake2b(repr(datum).encode(), digest_size=16).digest()


def _datum(record: StoredRecord, reader: Any) -> dict[str, Any] | None:
    value = record.value or b""
    writer = shipped_schemas().get(FRAME.unpack_from(value)[1]) if len(value) > FRAME.size else None
    if writer is None:
        return None
    try:
        datum = fastavro.schemaless_reader(BytesIO(value[FRAME.size :]), writer, reader)
    except Exception:  # noqa: BLE001  (whatever its bytes lead to: it is not an event)
        return None
    return datum if isinstance(datum, dict) else None
