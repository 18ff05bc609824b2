"""Rows as the pipeline would hand them to the store: deterministic, and like real ones."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import polars as pl

from auditstream.contract.catalogue import shipped_catalogue
from auditstream.store.columns import EVENT_SCHEMA, REJECT_SCHEMA

STREAM = "cluster-1/audit.events/topic-1"
START = datetime(2025, 3, 3, 8, tzinfo=UTC)
AGENTS = ("Firefox", "Chrome", "Safari", "curl")


def event_rows(
    count: int,
    *,
    stream: str = STREAM,
    partition: int = 0,
    first: int = 0,
    step: int = 1,
    seed: int = 1,
    start: datetime = START,
    workspaces: int = 20,
) -> pl.DataFrame:
    """Return `count` events of one partition from offset `first` on, every `step`-th offset.

    Events follow each other by about 20 ms from `start` on; all arrive in one batch.
    """
    draw = random.Random(seed)
    ingested_at = start + timedelta(milliseconds=20 * count, microseconds=77)
    rows = []
    for number in range(count):
        occurred_at = start + timedelta(milliseconds=20 * number, microseconds=draw.randrange(9999))
        row = _event(draw, occurred_at, draw.randrange(workspaces))
        row |= {
            "stream": stream,
            "kafka_topic": "audit.events",
            "kafka_partition": partition,
            "kafka_offset": first + number * step,
            "kafka_timestamp": occurred_at,
            "ingested_at": ingested_at,
            "delay_seconds": (ingested_at - occurred_at).total_seconds(),
            "source_sequence": number + 1,
        }
        rows.append(row)
    return pl.DataFrame(rows, schema=EVENT_SCHEMA)


def reject_rows(
    offsets: list[int], *, stream: str = STREAM, partition: int = 0, seed: int = 1
) -> pl.DataFrame:
    """Return rejected records at the offsets of one partition; their bytes are not text."""
    draw = random.Random(seed)
    rows = [
        {
            "stream": stream,
            "kafka_topic": "audit.events",
            "kafka_partition": partition,
            "kafka_offset": offset,
            "kafka_timestamp": START,
            "key": draw.randbytes(8),
            "value": b"\x00\xff" + draw.randbytes(40),
            "reason": draw.choice(["not_avro", "unknown_action"]),
            "field": "",
            "message": f"record {offset} isn't an event: \\' \n\t",
            "event_id": None,
            "rejected_at": START,
        }
        for offset in offsets
    ]
    return pl.DataFrame(rows, schema=REJECT_SCHEMA)


def uuid7(at: datetime, draw: random.Random) -> str:
    """Return a version 7 UUID of the time `at`."""
    milliseconds = int(at.timestamp() * 1000)
    bits = milliseconds << 80 | 7 << 76 | draw.getrandbits(12) << 64 | 2 << 62
    return str(UUID(int=bits | draw.getrandbits(62)))


def _event(draw: random.Random, occurred_at: datetime, number: int) -> dict[str, Any]:
    catalogue = shipped_catalogue()
    weights = [action.weight for action in catalogue.actions.values()]
    action = draw.choices(list(catalogue.actions.values()), weights)[0]
    workspace = f"{number:016x}"
    who, whom, group = (f"{number:04x}{draw.randrange(30):08x}" for _ in range(3))
    entity = f"{number:04x}{draw.randrange(50):06x}"
    has_role = "role" in action.fields
    role = draw.choice(action.roles) if has_role else None
    changed = has_role and "previous_role" in action.fields
    previous = draw.choice(action.roles) if changed and draw.random() < 0.7 else None
    rank = action.rank(role) if role else None
    previous_rank = action.rank(previous) if previous else None
    change = None if rank is None or previous_rank is None else rank - previous_rank
    member = "member" in action.fields
    return {
        "event_id": uuid7(occurred_at, draw),
        "action": action.name,
        "occurred_at": occurred_at,
        "workspace_id": workspace,
        "workspace_username": f"workspace-{number}",
        "actor_type": draw.choices(["user", "service_account", "api_token"], [90, 5, 5])[0],
        "actor_id": who,
        "actor_username": f"user_{who}",
        "actor_email": f"user_{who}@example.com",
        "actor_role": draw.choice(["member", "admin"]),
        "actor_ip": f"203.0.113.{draw.randrange(250)}",
        "actor_user_agent": f"Mozilla/5.0 (X11; Linux x86_64; rv:{draw.randrange(90, 140)}.0)",
        "actor_session_id": f"{draw.getrandbits(40):010x}",
        "actor_on_behalf_of": None,
        "entity_type": action.entity_type,
        "entity_id": entity,
        "entity_name": f"entity \u00e9 {entity}",
        "member_id": whom if member else None,
        "member_username": f"user_{whom}" if member else None,
        "member_email": f"user_{whom}@example.com" if member else None,
        "group_id": group if "group" in action.fields else None,
        "group_name": f"group {group}" if "group" in action.fields else None,
        "role": role,
        "previous_role": previous,
        "outcome": draw.choices(["success", "failure", "denied"], [95, 3, 2])[0],
        "outcome_reason": None,
        "correlation_id": f"{draw.getrandbits(64):016x}",
        "causation_id": None,
        "request_id": f"{draw.getrandbits(64):016x}",
        "changes": [{"field": "role", "old": previous, "new": role}] if changed else [],
        "metadata": [{"key": "region", "value": "eu"}] if draw.random() < 0.5 else [],
        "source_service": "workspaces",
        "source_version": "1.4.2",
        "source_instance": f"pod-{draw.randrange(3)}",
        "source_epoch": 1_740_000_000_000_000,
        "category": action.category,
        "severity": action.severity,
        "description": action.description,
        "sentence": f"user_{who} did {action.description} to entity \u00e9 {entity}",
        "role_rank": rank,
        "previous_role_rank": previous_rank,
        "role_change": change,
        "previous_role_origin": "producer" if previous else "",
        "user_agent_family": draw.choice(AGENTS),
        "user_agent_os": "Linux",
        "ip_class": "public",
        "country": None,
        "network": None,
        "is_late": False,
        "ocsf_class_uid": action.ocsf.class_uid,
        "ocsf_activity_id": action.ocsf.activity_id,
        "event_id_minute": occurred_at.replace(second=0, microsecond=0),
    }
