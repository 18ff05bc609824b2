"""`auditstream publish`: JSON lines in, events out."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, Final

import typer

from auditstream.cli.target import BrokersOption, target

if TYPE_CHECKING:
    from auditstream.publish.audit_log import AuditLog

EXAMPLE = "auditstream publish events.jsonl"
SERVICE: Final = "auditstream-publish"
MOST_WAITING: Final = 50_000
WAIT_SECONDS: Final = 0.05
UNREACHABLE: Final = 3


class LineError(Exception):
    """A line is not an event; the message says why."""


def register(app: typer.Typer, panel: str) -> None:
    """Add the command to the app."""
    app.command("publish", rich_help_panel=panel, epilog=f"Example: {EXAMPLE}")(publish_lines)


def publish_lines(
    file: Annotated[
        str, typer.Argument(help="File with one JSON object a line; - is standard input.")
    ],
    service: Annotated[
        str, typer.Option("--service", help="Service in whose name the events are published.")
    ] = SERVICE,
    brokers: BrokersOption = None,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0, help="Seconds to wait for the broker at the end.")
    ] = 30.0,
) -> None:
    """Publish events from JSON lines, each an object with the fields of the Avro schema.

    `event_id` and `occurred_at` (ISO 8601) may be left out, `source` is filled in. A line that is
    not an event is refused with its number on standard error; the others are published.
    """
    from auditstream.publish.audit_log import AuditLog

    settings = target(brokers=brokers)
    password = settings.kafka_password
    log = AuditLog(
        service=service,
        kafka_brokers=settings.kafka_brokers,
        kafka_security_protocol=settings.kafka_security_protocol,
        kafka_sasl_mechanism=settings.kafka_sasl_mechanism,
        kafka_username=settings.kafka_username,
        kafka_password=password.get_secret_value() if password else None,
        kafka_ca_file=settings.kafka_ca_file,
        schema_registry_url=settings.schema_registry_url,
        events_topic=settings.events_topic,
        catalogue_file=settings.catalogue_file,
    )
    with _opened(file) as lines:
        published, refused = _publish(log, lines)
    acknowledged = log.flush(timeout)
    waiting = log.stats().spooled
    log.close(0)
    typer.echo(f"{published} published, {refused} refused", err=True)
    if not acknowledged:
        typer.echo(
            f"auditstream: {settings.kafka_brokers} has not acknowledged {waiting} events within "
            f"{timeout:g} s; they are kept on disk and sent by the next publish",
            err=True,
        )
        raise typer.Exit(UNREACHABLE)
    if refused:
        raise typer.Exit(1)


def event_of(line: str) -> dict[str, Any]:
    """Return the event that a line of JSON holds, with an id and a time if it has none.

    Raises:
        LineError: the line is not a JSON object, or its time is not ISO 8601 with an offset.
    """
    from auditstream.contract.ids import uuid7

    try:
        event = json.loads(line)
    except ValueError as error:
        raise LineError(f"not JSON: {error}") from error
    if not isinstance(event, dict):
        raise LineError("not a JSON object")
    event.setdefault("event_id", str(uuid7()))
    moment = event.setdefault("occurred_at", datetime.now(UTC))
    if isinstance(moment, str):
        try:
            event["occurred_at"] = datetime.fromisoformat(moment)
        except ValueError:
            raise LineError(f"occurred_at: {moment!r} is not a time in ISO 8601") from None
    return event


def _publish(log: AuditLog, lines: IO[str]) -> tuple[int, int]:
    from auditstream.errors import InvalidEventError

    published = refused = 0
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            log.emit_envelope(event_of(line))
            published += 1
        except (LineError, InvalidEventError) as error:
            typer.echo(f"line {number}: {error}", err=True)
            refused += 1
        while published % 1000 == 0 and log.stats().spooled > MOST_WAITING:
            time.sleep(WAIT_SECONDS)
    return published, refused


@contextmanager
def _opened(file: str) -> Iterator[IO[str]]:
    if file == "-":
        yield sys.stdin
        return
    try:
        with Path(file).open(encoding="utf-8") as lines:
            yield lines
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}", param_hint="FILE") from error
