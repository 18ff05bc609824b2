"""`auditstream up`: everything on this machine, on a directory that stays."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXAMPLE = "auditstream up --data-dir ./audit-data"


def register(app: typer.Typer, panel: str) -> None:
    """Add the command to the app."""
    app.command("up", rich_help_panel=panel, epilog=f"Example: {EXAMPLE}")(run_up)


def run_up(
    data_dir: Annotated[
        Path | None,
        typer.Option(
            "--data-dir",
            help="Where events are kept; made if missing.",
            show_default="in the user's data directory",
        ),
    ] = None,
) -> None:
    """Run broker, ClickHouse, worker, notifier and endpoint on this machine until Ctrl-C.

    The endpoint, with its page for a browser, is on port 8700 if that is free.
    Events, alerts and rejected events are kept in the data directory. The broker keeps its records
    in memory until they are stored, within about a second; Ctrl-C waits for that.
    """
    import platformdirs
    from rich.console import Console

    from auditstream.cli.endpoint import listen, running_endpoint
    from auditstream.cli.running import announced
    from auditstream.cli.stack import running_stack, stopped_by_signals
    from auditstream.cli.stay import stay
    from auditstream.settings import load_settings

    console = Console(highlight=False)
    directory = data_dir or platformdirs.user_data_path("auditstream", appauthor=False)
    base = load_settings()
    try:
        with (
            stopped_by_signals(),
            console.status("starting") as status,
            listen(base.api_port) as listener,
            running_stack(directory.absolute(), base, status.update, listener) as stack,
            announced("up", stack.settings),
        ):
            try:
                # It ends first: what it has in its spool is published, and then stored.
                with running_endpoint(stack, listener, directory.absolute()) as endpoint:
                    status.stop()
                    stay(stack, endpoint, directory, console)
            except KeyboardInterrupt:
                # The broker forgets its records when it stops.
                if not stack.settle():
                    console.print("some events that were published last are not stored")
                raise
    except KeyboardInterrupt:
        console.print("stopped")
