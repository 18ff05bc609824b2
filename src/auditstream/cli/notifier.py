"""`auditstream notifier`: tells those who should know of alerts."""

from __future__ import annotations

import typer

EXAMPLE = "AUDITSTREAM_CONFIG=production.toml auditstream notifier"


def register(app: typer.Typer, panel: str) -> None:
    """Add the command to the app."""
    app.command("notifier", rich_help_panel=panel, epilog=f"Example: {EXAMPLE}")(run_notifier)


def run_notifier() -> None:
    """Deliver every alert of the alerts topic until SIGTERM or Ctrl-C.

    Where to is the section [notifier] of the settings file; without one, each alert is printed
    here: a short block on a terminal, a line in a pipe. What was delivered is in ClickHouse and is
    not delivered again after a restart.
    """
    from auditstream.alerts.notifier import run
    from auditstream.settings import load_settings

    run(load_settings())
