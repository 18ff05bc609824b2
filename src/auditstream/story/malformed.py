"""Records that cannot be stored: one of each kind of damage that can be sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from random import Random
from typing import Any, Final

import fastavro

from auditstream.contract.limits import MAX_EVENT_BYTES, MAX_LENGTH, MAX_VALUE
from auditstream.contract.reasons import Reason
from auditstream.contract.schemas import frame, parsed_schema, shipped_id
from auditstream.story import names
from auditstream.story.dice import dice
from auditstream.story.narrator import Datum, uuid7
from auditstream.story.people import Directory

UNKNOWN_SCHEMA: Final = 987_654
TRAILING: Final = b"\x00\x01\x02"
NO_DATUM: Final = b"\x00" * 5 + b"\x7e" + b"\x00" * 40
"""Five empty fields, then a kind of actor that the schema has no name for."""


@dataclass(frozen=True)
class Malformed:
    """A record as it is sent, and the reason for which it will be rejected."""

    reason: Reason
    key: bytes | None
    value: bytes | None


@dataclass(frozen=True)
class _Origin:
    """What a kind of damage starts from: a valid event."""

    here: Directory
    datum: Datum
    now: datetime

    @property
    def bytes(self) -> bytes:
        return encode(self.datum)


Damage = Callable[[_Origin], bytes | None]


def malformed(seed: int, workspace: int, now: datetime) -> Iterator[Malformed]:
    """Yield a record of each kind of damage, for the workspace of that number."""
    rng = dice(seed, workspace, "malformed")
    here = Directory(rng, workspace)
    for number, (reason, damage) in enumerate(KINDS.items()):
        at = now - timedelta(hours=2, minutes=number)
        origin = _Origin(here, _group_member_added(rng, here, at, number), now)
        key = None if reason == "null_key" else here.workspace_id.encode()
        yield Malformed(reason, key, damage(origin))


def encode(datum: Datum) -> bytes:
    """Return the framed bytes of a datum under the shipped schema id."""
    body = BytesIO()
    fastavro.schemaless_writer(body, parsed_schema("audit_event"), datum)
    return frame(shipped_id("audit_event"), body.getvalue())


def _group_member_added(rng: Random, here: Directory, at: datetime, number: int) -> Datum:
    group, person = here.new_group(), here.new_person("member")
    return {
        "event_id": uuid7(rng, at),
        "action": "group_member_added",
        "occurred_at": at.astimezone(UTC),
        "workspace_id": here.workspace_id,
        "workspace_username": here.workspace_username,
        "actor": here.admins[0].as_actor(at.toordinal(), rng),
        "entity": {"type": "workspace_group", "id": group.id, "name": group.name},
        "member": person.as_member(),
        "source": {
            "service": "legacy-importer",
            "version": "0.9",
            "instance": None,
            "epoch": int(at.timestamp()) * 1_000_000,
            "sequence": number + 1,
        },
    }


def _altered(**fields: Any) -> Damage:
    return lambda origin: encode(origin.datum | fields)


def _altered_within(field: str, **fields: Any) -> Damage:
    return lambda origin: encode(origin.datum | {field: origin.datum[field] | fields})


def _invalid_utf8(origin: _Origin) -> bytes:
    name = origin.here.workspace_username.encode()
    return origin.bytes.replace(name, b"\xff" * len(name), 1)


def _too_large(origin: _Origin) -> bytes:
    count = MAX_EVENT_BYTES // MAX_VALUE + 1
    pairs = [{"key": f"attachment {n}", "value": "A" * MAX_VALUE} for n in range(count)]
    return encode(origin.datum | {"metadata": pairs})


def _unknown_role(origin: _Origin) -> bytes:
    connection = {"type": "workspace_connection", "id": "x-1", "name": names.CONNECTIONS[0]}
    added = {"action": "connection_member_added_with_role", "role": "owner", "entity": connection}
    return encode(origin.datum | added)


KINDS: Final[dict[Reason, Damage]] = {
    "not_framed": lambda origin: json.dumps(origin.datum, default=str).encode(),
    "unknown_schema": lambda origin: frame(UNKNOWN_SCHEMA, origin.bytes[5:]),
    "not_avro": lambda origin: frame(shipped_id("audit_event"), NO_DATUM),
    "truncated": lambda origin: origin.bytes[:-9],
    "trailing_bytes": lambda origin: origin.bytes + TRAILING,
    "invalid_utf8": _invalid_utf8,
    "unknown_action": _altered(action="workspace_renamed"),
    "missing_field": _altered(member=None),
    "extra_field": _altered(group={"id": "g-1", "name": "Platform"}),
    "wrong_entity_type": _altered_within("entity", type="workspace_collection"),
    "unknown_role": _unknown_role,
    "empty_string": _altered_within("member", id=""),
    "too_long": _altered_within("actor", user_agent="x" * (MAX_LENGTH["actor.user_agent"] + 1)),
    "invalid_uuid": _altered(event_id="event 4711"),
    "invalid_ip": _altered_within("actor", ip="203.0.113.256"),
    "time_too_late": lambda origin: encode(
        origin.datum | {"occurred_at": origin.now + timedelta(days=3650)}
    ),
    "time_too_early": _altered(occurred_at=datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    "too_large": _too_large,
    "null_value": lambda origin: None,
    "null_key": lambda origin: origin.bytes,
}
