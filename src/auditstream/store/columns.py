"""Columns of the tables: their dtypes in frames, and the types in which ClickHouse holds them."""

from __future__ import annotations

from typing import Final, NamedTuple

import polars as pl
from polars.datatypes import DataType, DataTypeClass

Schema = dict[str, DataType | DataTypeClass]


class Column(NamedTuple):
    """A column: dtype in frames, type in ClickHouse."""

    dtype: DataType | DataTypeClass
    type: str

    @property
    def repeats(self) -> bool:
        """Whether few values repeat in many rows, so that they travel as a dictionary."""
        return self.type.startswith(("LowCardinality", "Enum8"))

    @property
    def nullable(self) -> bool:
        """Whether a value may be absent."""
        return "Nullable" in self.type and not self.type.startswith("Array")


WORD: Final = Column(pl.String, "LowCardinality(String)")
MAYBE_WORD: Final = Column(pl.String, "LowCardinality(Nullable(String))")
TEXT: Final = Column(pl.String, "String")
MAYBE_TEXT: Final = Column(pl.String, "Nullable(String)")
MAYBE_BYTES: Final = Column(pl.Binary, "Nullable(String)")
IDENTIFIER: Final = Column(pl.String, "UUID")
MICROSECONDS: Final = Column(pl.Datetime("us", "UTC"), "DateTime64(6, 'UTC')")
MAYBE_MILLISECONDS: Final = Column(pl.Datetime("ms", "UTC"), "Nullable(DateTime64(3, 'UTC'))")
INTEGER: Final = Column(pl.Int64, "Int64")
COUNT: Final = Column(pl.UInt32, "UInt32")
BOOLEAN: Final = Column(pl.Boolean, "Bool")
MAYBE_RANK: Final = Column(pl.UInt8, "Nullable(UInt8)")
SEVERITY: Final = Column(
    pl.String,
    "Enum8('informational' = 1, 'low' = 2, 'medium' = 3, 'high' = 4, 'critical' = 5)",
)

POSITION: Final = {
    "stream": WORD,
    "kafka_topic": WORD,
    "kafka_partition": Column(pl.Int32, "Int32"),
    "kafka_offset": INTEGER,
    "kafka_timestamp": MAYBE_MILLISECONDS,
}

PAYLOAD: Final = {
    "event_id": IDENTIFIER,
    "action": WORD,
    "occurred_at": MICROSECONDS,
    "workspace_id": WORD,
    "workspace_username": WORD,
    "actor_type": WORD,
    "actor_id": MAYBE_TEXT,
    "actor_username": MAYBE_TEXT,
    "actor_email": MAYBE_TEXT,
    "actor_role": MAYBE_WORD,
    "actor_ip": MAYBE_TEXT,
    "actor_user_agent": MAYBE_WORD,
    "actor_session_id": MAYBE_TEXT,
    "actor_on_behalf_of": MAYBE_TEXT,
    "entity_type": WORD,
    "entity_id": TEXT,
    "entity_name": MAYBE_TEXT,
    "member_id": MAYBE_TEXT,
    "member_username": MAYBE_TEXT,
    "member_email": MAYBE_TEXT,
    "group_id": MAYBE_TEXT,
    "group_name": MAYBE_TEXT,
    "role": MAYBE_WORD,
    "previous_role": MAYBE_WORD,
    "outcome": WORD,
    "outcome_reason": MAYBE_TEXT,
    "correlation_id": MAYBE_TEXT,
    "causation_id": MAYBE_TEXT,
    "request_id": MAYBE_TEXT,
    "changes": Column(
        pl.List(pl.Struct({"field": pl.String, "old": pl.String, "new": pl.String})),
        "Array(Tuple(field String, old Nullable(String), new Nullable(String)))",
    ),
    "metadata": Column(
        pl.List(pl.Struct({"key": pl.String, "value": pl.String})),
        "Array(Tuple(key String, value String))",
    ),
}
"""What an event says, without who sent it: what is compared when an event id repeats."""

EVENTS: Final = {
    **POSITION,
    "ingested_at": MICROSECONDS,
    **PAYLOAD,
    "source_service": WORD,
    "source_version": MAYBE_WORD,
    "source_instance": MAYBE_WORD,
    "source_epoch": INTEGER,
    "source_sequence": INTEGER,
    "category": WORD,
    "severity": SEVERITY,
    "description": WORD,
    "sentence": TEXT,
    "role_rank": MAYBE_RANK,
    "previous_role_rank": MAYBE_RANK,
    "role_change": Column(pl.Int8, "Nullable(Int8)"),
    "previous_role_origin": WORD,
    "user_agent_family": MAYBE_WORD,
    "user_agent_os": MAYBE_WORD,
    "ip_class": WORD,
    "country": MAYBE_WORD,
    "network": MAYBE_WORD,
    "delay_seconds": Column(pl.Float32, "Float32"),
    "is_late": BOOLEAN,
    "ocsf_class_uid": Column(pl.UInt16, "UInt16"),
    "ocsf_activity_id": Column(pl.UInt8, "UInt8"),
    "event_id_minute": MICROSECONDS,
}

REJECTS: Final = {
    **POSITION,
    "key": MAYBE_BYTES,
    "value": MAYBE_BYTES,
    "reason": WORD,
    "field": TEXT,
    "message": TEXT,
    "event_id": MAYBE_TEXT,
    "rejected_at": MICROSECONDS,
}

ALERTS: Final = {
    "alert_id": IDENTIFIER,
    "rule_id": WORD,
    "rule_title": WORD,
    "rule_hash": WORD,
    "level": SEVERITY,
    "sentence": TEXT,
    "reason": TEXT,
    "runbook": MAYBE_TEXT,
    "group_key": TEXT,
    "workspace_id": WORD,
    "workspace_username": WORD,
    "actor": TEXT,
    "entity": TEXT,
    "action": WORD,
    "occurred_at": MICROSECONDS,
    "detected_at": MICROSECONDS,
    "event_count": INTEGER,
    "evidence": Column(
        pl.List(
            pl.Struct(
                {
                    "event_id": pl.String,
                    "topic": pl.String,
                    "partition": pl.Int32,
                    "offset": pl.Int64,
                }
            )
        ),
        "Array(Tuple(event_id UUID, topic String, partition Int32, offset Int64))",
    ),
    "whom": TEXT,
    "late": BOOLEAN,
    "retroactive": BOOLEAN,
    "window_seconds": INTEGER,
    "link": MAYBE_TEXT,
    "first_event": MAYBE_TEXT,
}

TRANSITIONS: Final = {
    "alert_id": IDENTIFIER,
    "number": COUNT,
    "at": MICROSECONDS,
    "state": WORD,
    "by": TEXT,
    "reason": TEXT,
}

SILENCES: Final = {
    "silence_id": IDENTIFIER,
    "at": MICROSECONDS,
    "cancelled": BOOLEAN,
    "rule_id": MAYBE_TEXT,
    "level": MAYBE_TEXT,
    "actor": MAYBE_TEXT,
    "workspace_id": MAYBE_TEXT,
    "entity": MAYBE_TEXT,
    "until": MICROSECONDS,
    "author": TEXT,
    "reason": TEXT,
}

DELIVERIES: Final = {
    "delivery_id": IDENTIFIER,
    "alert_id": IDENTIFIER,
    "at": MICROSECONDS,
    "state": WORD,
    "kind": WORD,
    "destination": WORD,
    "due": MICROSECONDS,
    "attempt": COUNT,
    "held_by": TEXT,
    "message_id": MAYBE_TEXT,
    "error": TEXT,
    "count": INTEGER,
    "rule_id": WORD,
    "level": WORD,
    "group_key": TEXT,
    "occurred_at": MICROSECONDS,
    "partition": Column(pl.Int32, "Int32"),
    "alert": TEXT,
}

HITS: Final = {
    "alert_id": IDENTIFIER,
    "at": MICROSECONDS,
    "event_count": INTEGER,
    "event_ids": Column(pl.List(pl.String), "Array(String)"),
    "partition": Column(pl.Int32, "Int32"),
    "offset": INTEGER,
}


def _schema(columns: dict[str, Column]) -> Schema:
    return {name: column.dtype for name, column in columns.items()}


POSITION_SCHEMA: Final = _schema(POSITION)
PAYLOAD_SCHEMA: Final = _schema(PAYLOAD)
EVENT_SCHEMA: Final = _schema(EVENTS)
REJECT_SCHEMA: Final = _schema(REJECTS)
ALERT_SCHEMA: Final = _schema(ALERTS)
TRANSITION_SCHEMA: Final = _schema(TRANSITIONS)
SILENCE_SCHEMA: Final = _schema(SILENCES)
DELIVERY_SCHEMA: Final = _schema(DELIVERIES)
HIT_SCHEMA: Final = _schema(HITS)
