"""`auditstream alerts test` and `dead-letters`: destinations tried, and what they did not take."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import typer

from auditstream.cli.output import Format, FormatOption, print_rows
from auditstream.cli.target import UrlOption, target

COLUMNS = (
    "at",
    "destination",
    "kind",
    "level",
    "rule",
    "attempts",
    "error",
    "alert_id",
    "delivery_id",
)


def register(alerts: typer.Typer) -> None:
    """Add the commands to those about alerts."""
    alerts.command("test", epilog="Example: auditstream alerts test pager")(send_test)
    example = "auditstream alerts dead-letters --retry"
    alerts.command("dead-letters", epilog=f"Example: {example}")(dead_letters)


def send_test(
    destination: Annotated[str, typer.Argument(help="Name of a destination of the settings.")],
) -> None:
    """Send a sample alert to a destination. Exit code 1 when it is not taken."""
    from rich.console import Console

    from auditstream.alerts.destinations.make import make_destination
    from auditstream.alerts.sample import sample_message
    from auditstream.settings import load_settings

    settings = load_settings()
    config = settings.notifier.destinations.get(destination)
    if config is None:
        known = ", ".join(settings.notifier.destinations)
        raise typer.BadParameter(f"there is no destination {destination!r}, only {known}")
    make_destination(config, Console()).send(sample_message(settings.explorer_url))
    typer.echo(f"{destination} has taken a test alert", err=True)


def dead_letters(
    retry: Annotated[
        bool, typer.Option("--retry", help="Have the notifier try them again.")
    ] = False,
    destination: Annotated[
        str, typer.Option("--destination", "-d", help="Only those to this destination.")
    ] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, help="Deliveries at most.")] = 1_000,
    form: FormatOption = Format.table,
    url: UrlOption = None,
) -> None:
    """List deliveries that were given up, the newest first, or have them tried again."""
    from auditstream.alerts.dead_letters import retry_dead
    from auditstream.store.alert_deliveries import list_dead
    from auditstream.store.connection import connect

    with closing(connect(target(url=url))) as store:
        dead = list_dead(store, limit, destination)
        if retry:
            retry_dead(store, dead)
    if retry:
        typer.echo(f"{len(dead)} will be tried again")
        return
    rows = [
        (
            row.at,
            row.destination,
            row.kind,
            row.level,
            row.rule_id,
            row.attempt,
            row.error,
            row.alert_id,
            row.delivery_id,
        )
        for row in dead
    ]
    print_rows(COLUMNS, rows, form)
