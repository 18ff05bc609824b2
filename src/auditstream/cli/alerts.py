"""`auditstream alerts`: what on-call was told."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import typer

from auditstream.cli.output import Format, FormatOption, print_rows
from auditstream.cli.target import UrlOption, target

EXAMPLE = "auditstream alerts list --limit 10"


def register(app: typer.Typer, panel: str) -> None:
    """Add the commands to the app."""
    alerts = typer.Typer(no_args_is_help=True, help="Look at the alerts.")
    alerts.command("list", epilog=f"Example: {EXAMPLE}")(list_alerts)
    app.add_typer(alerts, name="alerts", rich_help_panel=panel, epilog=f"Example: {EXAMPLE}")


def list_alerts(
    limit: Annotated[int, typer.Option("--limit", min=1, help="Alerts at most.")] = 50,
    form: FormatOption = Format.table,
    url: UrlOption = None,
) -> None:
    """List alerts, the newest first."""
    from auditstream.store.connection import connect

    settings = target(url=url)
    with closing(connect(settings)) as store:
        frame = store.query_frame(
            "SELECT toString(level) AS level, occurred_at, sentence, rule_id AS rule, "
            "toString(alert_id) AS alert_id FROM {database:Identifier}.alerts "
            "ORDER BY occurred_at DESC, alert_id LIMIT {limit:UInt64}",
            {"database": store.database, "limit": limit},
        )
    print_rows(frame.columns, frame.rows(), form)
