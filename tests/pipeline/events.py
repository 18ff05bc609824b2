"""Events and records as producers make them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from io import BytesIO
from random import Random
from typing import Any, Final
from uuid import UUID

import fastavro

from auditstream.contract.catalogue import Action, Catalogue, shipped_catalogue
from auditstream.contract.schemas import frame, parsed_schema, shipped_id
from auditstream.pipeline.records import Records

NOW: Final = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
STREAM: Final = "cluster/audit.events/topic"
TOPIC: Final = "audit.events"
BROWSER: Final = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 "
    "(KHTML, like Gecko) Chrome/{}.0.0.0 Safari/537.36"
)


def micros(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def uuid7(number: int, moment: datetime = NOW) -> str:
    """Return a UUID of version 7, made at a moment."""
    milliseconds = micros(moment) // 1000
    return str(UUID(int=milliseconds << 80 | 7 << 76 | 2 << 62 | number))


def event(name: str = "group_created", /, number: int = 1, **fields: Any) -> dict[str, Any]:
    """Return a valid event of an action of the shipped catalogue, with other fields on demand."""
    return valid_event(shipped_catalogue()[name], number) | fields


def valid_event(action: Action, number: int = 1) -> dict[str, Any]:
    """Return an event that has all required fields of an action and none besides."""
    subjects: dict[str, Any] = {
        "member": {"id": "u2", "username": "bob", "email": "bob@example.org"},
        "group": {"id": "g1", "name": "Finance"},
        "role": action.roles[-1] if action.roles else None,
        "previous_role": action.roles[0] if action.roles else None,
    }
    return {
        "event_id": uuid7(number),
        "action": action.name,
        "occurred_at": micros(NOW) - 1_000_000,
        "workspace_id": "w1",
        "workspace_username": "acme",
        "actor": {"type": "user", "id": "u1", "username": "ana", "ip": "10.0.0.1"},
        "entity": {"type": action.entity_type, "id": f"{action.entity_type}-1", "name": "Sales"},
        **{name: subjects[name] for name in action.required},
        "source": {"service": "console", "epoch": 1, "sequence": number},
    }


def encode(datum: Mapping[str, Any]) -> bytes:
    """Return a framed value."""
    out = BytesIO()
    fastavro.schemaless_writer(out, parsed_schema("audit_event"), dict(datum))
    return frame(shipped_id("audit_event"), out.getvalue())


def records(
    values: Sequence[bytes | None],
    keys: Sequence[bytes | None] | None = None,
    partitions: Sequence[int] | None = None,
    offsets: Sequence[int] | None = None,
) -> Records:
    """Return records that hold the values, by default one partition from offset 100."""
    return Records(
        STREAM,
        TOPIC,
        list(partitions or [0] * len(values)),
        list(offsets or range(100, 100 + len(values))),
        [micros(NOW) // 1000] * len(values),
        list(keys or [b"w1"] * len(values)),
        list(values),
    )


def typical_events(count: int, seed: int, catalogue: Catalogue | None = None) -> Iterator[Any]:
    """Yield valid events of all actions in the catalogue's proportions, as a workspace has them."""
    random = Random(seed)
    actions = list((catalogue or shipped_catalogue()).actions.values())
    weights = [action.weight for action in actions]
    agents = [BROWSER.format(version) for version in range(100, 140)] + ["curl/8.1.2"]
    for number, action in enumerate(random.choices(actions, weights, k=count), start=1):
        moment = NOW - timedelta(microseconds=random.randrange(60_000_000))
        actor, member = random.randrange(60), random.randrange(60)
        subjects: dict[str, Any] = {
            "member": _person(member),
            "group": {"id": f"g{member}", "name": f"Group {member}"},
            "role": _mostly_low(random, action.roles),
            "previous_role": _mostly_low(random, action.roles),
        }
        given = [name for name in action.optional if random.random() < 0.6]
        yield {
            "event_id": uuid7(random.getrandbits(60), moment),
            "action": action.name,
            "occurred_at": micros(moment),
            "workspace_id": f"w{random.randrange(20)}",
            "workspace_username": "acme",
            "actor": _person(actor)
            | {
                "type": "user",
                "role": "admin",
                "ip": f"198.51.{random.randrange(4)}.{random.randrange(250)}",
                "user_agent": random.choice(agents),
                "session_id": f"{random.getrandbits(64):016x}",
            },
            "entity": {
                "type": action.entity_type,
                "id": f"e{random.randrange(200)}",
                "name": f"Thing {random.randrange(200)}",
            },
            **{name: subjects[name] for name in (*action.required, *given)},
            "outcome": random.choices(["success", "failure", "denied"], [95, 3, 2])[0],
            "request_id": f"{random.getrandbits(128):032x}",
            "correlation_id": f"{random.getrandbits(128):032x}",
            "changes": [{"field": "name", "old": "a", "new": "b"}] * (random.random() < 0.1),
            "metadata": [{"key": "k", "value": "v"}] * (random.random() < 0.1),
            "source": {
                "service": "console",
                "version": "1.2.3",
                "instance": f"console-{random.randrange(4)}",
                "epoch": micros(NOW),
                "sequence": number,
            },
        }


def _mostly_low(random: Random, roles: tuple[str, ...]) -> str | None:
    return random.choices(roles, [20**-rank for rank, _ in enumerate(roles)])[0] if roles else None


def _person(number: int) -> dict[str, str]:
    name = f"person{number}"
    return {"id": f"u{number}", "username": name, "email": f"{name}@example.org"}
