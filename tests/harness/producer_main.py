"""A producer that writes down what became of each call, for tests to compare the table with.

A line is written after the call returned: `ok ID` for an accepted event, `repeat ID` for one
emitted again, `bad REASON` for an acknowledged record that is no event. The settings come from
the environment; the last line is `end`.
"""

from __future__ import annotations

import argparse
import os
import random
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TextIO

from confluent_kafka import Producer

from auditstream import Actor, AuditLog, Member, Ref, Workspace

BAD = {
    "not_framed": b"\x07garbage",
    "unknown_schema": b"\x00\x00\x00\x27\x0fabc",
    "truncated": b"\x00\x00\x00\x03\xe9\x48",
}


class Writer:
    """Emits a mix of events, repeats and bad records, and writes down what was accepted."""

    def __init__(self, audit: AuditLog, record: TextIO, rng: random.Random) -> None:
        self.audit = audit
        self.record = record
        self.rng = rng
        self.raw = Producer(
            {"bootstrap.servers": os.environ["AUDITSTREAM_KAFKA_BROKERS"], "acks": "all"}
        )

    def event(self, again: bool) -> None:
        """Emit one event, and the same once more when `again`."""
        occurred_at = datetime.now(UTC)
        workspace = Workspace(id=f"w-{self.rng.randrange(24)}", username="acme")
        member = Member(id=f"m-{self.rng.randrange(200)}", username="someone")
        actor = Actor(type="user", id=f"u-{self.rng.randrange(30)}", username="admin")
        roles: tuple[Literal["view", "query", "manage"], ...] = ("view", "query", "manage")
        role = self.rng.choice(roles)
        known: str | None = None
        for name in ("ok", "repeat") if again else ("ok",):
            known = self.audit.connection_member_added_with_role(
                workspace=workspace,
                actor=actor,
                connection=Ref(id="c-1", name="Warehouse"),
                member=member,
                role=role,
                event_id=known,
                occurred_at=occurred_at,
            )
            self.record.write(f"{name} {known}\n")

    def bad(self) -> None:
        """Send one record that is no event."""
        reason = self.rng.choice(sorted(BAD))

        def acknowledged(error: object, _: object) -> None:
            if error is None:
                self.record.write(f"bad {reason}\n")

        topic = os.environ["AUDITSTREAM_EVENTS_TOPIC"]
        self.raw.produce(topic, BAD[reason], b"w-1", on_delivery=acknowledged)
        self.raw.poll(0)


def main() -> None:
    """Publish `--count` events, at `--rate` a second at most."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--record", type=Path, required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--repeat-every", type=int, default=97)
    parser.add_argument("--bad-every", type=int, default=211)
    options = parser.parse_args()
    started = time.monotonic()
    with options.record.open("a", buffering=1) as record, AuditLog() as audit:
        writer = Writer(audit, record, random.Random(options.seed))
        for number in range(1, options.count + 1):
            writer.event(again=number % options.repeat_every == 0)
            if options.bad_every and number % options.bad_every == 0:
                writer.bad()
            if options.rate:
                time.sleep(max(0.0, started + number / options.rate - time.monotonic()))
        audit.close(60.0)
        writer.raw.flush(60.0)
        record.write("end\n")


if __name__ == "__main__":
    main()
