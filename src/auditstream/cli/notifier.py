"""`auditstream notifier`: alerts on this console."""

from __future__ import annotations

import typer

EXAMPLE = "AUDITSTREAM_KAFKA_BROKERS=kafka-1:9092 auditstream notifier"


def register(app: typer.Typer, panel: str) -> None:
    """Add the command to the app."""
    app.command("notifier", rich_help_panel=panel, epilog=f"Example: {EXAMPLE}")(run_notifier)


def run_notifier() -> None:
    """Print every alert of the alerts topic until SIGTERM or Ctrl-C.

    A short block for each on a terminal, one line for each in a pipe. What was printed is not
    printed again after a restart: see AUDITSTREAM_NOTIFIER_GROUP.
    """
    from auditstream.alerts.notifier import run
    from auditstream.settings import load_settings

    run(load_settings())
