"""`auditstream publish`: JSON lines in, events out."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from auditstream.cli.target import BrokersOption, target

EXAMPLE: Final = (
    "echo '"
    '{"action": "group_created", "workspace": "acme", "actor": "ada", "group": "Finance"}'
    "' | auditstream publish -"
)
SERVICE: Final = "auditstream-publish"
UNREACHABLE: Final = 3


def register(app: typer.Typer, panel: str) -> None:
    """Add the command to the app."""
    app.command("publish", rich_help_panel=panel, epilog=f"Example: {EXAMPLE}")(run_publish)


def run_publish(
    file: Annotated[
        typer.FileBinaryRead,
        typer.Argument(help="File with one JSON object a line; - is standard input."),
    ],
    service: Annotated[
        str, typer.Option("--service", help="Service in whose name the events are published.")
    ] = SERVICE,
    brokers: BrokersOption = None,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0, help="Seconds to wait for the broker at the end.")
    ] = 30.0,
) -> None:
    """Publish events from JSON lines.

    A line is an object with the fields of the Avro schema, or in short: `action`, `workspace`,
    `actor`, `member`, `group`, `role`, and what was acted on under the name the action has for it,
    for example `connection`. `event_id` and `occurred_at` are made up where they are missing.
    A line that is not an event is refused on standard error; the others are published.
    """
    from auditstream.publish.audit_log import AuditLog
    from auditstream.publish.lines import publish_lines

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
    refused = 0
    for refusal in publish_lines(file, log):
        typer.echo(f"line {refusal.line}: {refusal.message}", err=True)
        refused += 1
    acknowledged = log.flush(timeout)
    stats = log.stats()
    log.close(0)
    typer.echo(f"{stats.accepted} published, {refused} refused", err=True)
    if not acknowledged:
        typer.echo(
            f"auditstream: {settings.kafka_brokers} has not acknowledged {stats.spooled} events "
            f"within {timeout:g} s; they are kept on disk and sent by the next publish",
            err=True,
        )
        raise typer.Exit(UNREACHABLE)
    if refused:
        raise typer.Exit(1)
