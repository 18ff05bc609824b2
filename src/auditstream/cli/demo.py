"""`auditstream demo`: the whole way of an event on this machine, with sample data."""

from __future__ import annotations

import secrets
import socket
import sys
import tempfile
import time
from contextlib import closing, contextmanager, nullcontext
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Never

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from auditstream.cli.demonstration.counts import Counts
    from auditstream.cli.stack import Stack
    from auditstream.story import Story

EXAMPLE: Final = "auditstream demo --events 10000 --exit"
INTERRUPTED: Final = 130
DAY_SECONDS: Final = 86_400


class Output(StrEnum):
    """Forms of the demo's result."""

    text = "text"
    json = "json"


def register(app: typer.Typer, panel: str) -> None:
    """Add the command to the app."""
    app.command("demo", rich_help_panel=panel, epilog=f"Example: {EXAMPLE}")(run_demo)


def run_demo(
    events: Annotated[
        int, typer.Option("--events", min=300, help="Records that are published in all.")
    ] = 10_000,
    seed: Annotated[
        int | None,
        typer.Option("--seed", help="The same seed tells the same story.", show_default="random"),
    ] = None,
    leave: Annotated[
        bool, typer.Option("--exit", help="End after the summary instead of staying up.")
    ] = False,
    form: Annotated[
        Output, typer.Option("--format", "-f", help="json: one object with the counts.")
    ] = Output.text,
) -> None:
    """Show everything on this machine: publish the story of a workspace, store it, find alerts.

    Starts a broker, ClickHouse, a worker and a notifier on free ports in a temporary directory,
    lets several services publish, and sums up what was stored, rejected and alerted. Then it stays
    up until Ctrl-C for queries of your own, with a page for the browser. Nothing is left behind.
    """
    from rich.console import Console

    from auditstream.cli.demonstration.run import tell
    from auditstream.cli.endpoint import listen
    from auditstream.cli.stay import print_next
    from auditstream.settings import Settings
    from auditstream.story import Story

    started = time.monotonic()
    story = Story(secrets.randbelow(10_000) if seed is None else seed, events, datetime.now(UTC))
    progress = Console(stderr=True, highlight=False)
    staying = False
    try:
        with (
            nullcontext() if leave else listen(Settings.model_construct().api_port) as page,
            _stack(story, progress, page) as (stack, directory),
        ):
            counts = tell(stack, story, progress)
            seconds = round(time.monotonic() - started, 1)
            output = _print(stack, counts, form, seconds, progress)
            for contradiction in counts.contradictions():
                typer.echo(f"auditstream: the counts do not agree: {contradiction}", err=True)
            staying = True
            if page is not None:
                _stay(stack, page, directory, output)
            if form is Output.text:
                print_next(output)
    except KeyboardInterrupt:
        progress.print("stopped, nothing is left behind")
        if not staying:
            raise typer.Exit(INTERRUPTED) from None
    if counts.contradictions():
        raise typer.Exit(1)


@contextmanager
def _stack(
    story: Story, progress: Console, page: socket.socket | None
) -> Iterator[tuple[Stack, Path]]:
    """Run a stack of its own, with default settings whatever the environment says."""
    from auditstream.cli.running import announced
    from auditstream.cli.stack import running_stack, stopped_by_signals
    from auditstream.settings import Settings
    from auditstream.story.clock import DAYS

    # The days of the story are told at once: that its events come days after is not late here.
    settings = Settings.model_construct(late_seconds=float((DAYS + 1) * DAY_SECONDS))
    with (
        stopped_by_signals(),
        tempfile.TemporaryDirectory(prefix="auditstream-", ignore_cleanup_errors=True) as name,
        progress.status("starting") as status,
        running_stack(Path(name), settings, status.update, page) as stack,
        announced("demo", stack.settings),
    ):
        status.stop()
        if progress.is_terminal:
            progress.print(
                f"Publishing a week of {story.workspaces} workspaces at once, {story.events:,} "
                f"records, seed {story.seed}"
            )
        yield stack, Path(name)


def _stay(stack: Stack, page: socket.socket, directory: Path, output: Console) -> Never:
    """Serve the endpoint too, with a token that is made for it, until a signal comes."""
    from auditstream.cli.demonstration.reader import make_reader
    from auditstream.cli.endpoint import running_endpoint
    from auditstream.cli.stay import stay
    from auditstream.store.connection import connect

    with closing(connect(stack.settings)) as store:
        issued = make_reader(store)
    credentials = (
        ("  workspace", issued.token.workspace_username),
        ("  token", issued.token.token_id),
        ("  secret", issued.secret),
    )
    with running_endpoint(stack, page, directory) as endpoint:
        stay(stack, endpoint, directory, output, credentials)


def _print(
    stack: Stack, counts: Counts, form: Output, seconds: float, progress: Console
) -> Console:
    """Print the result; return where what follows is to be printed."""
    from rich.console import Console

    from auditstream.cli.demonstration.summary import page_width, print_summary
    from auditstream.cli.output import print_json
    from auditstream.cli.target import catalogue_of
    from auditstream.store.connection import connect

    if form is Output.json:
        print_json(
            {
                "published": counts.published,
                "stored": counts.table.events,
                "rejected": counts.table.rejected,
                "duplicates": counts.topic.repeats,
                "alerts": counts.table.alerts,
                "actions": counts.table.actions,
                "seconds": seconds,
            }
        )
        sys.stdout.flush()
        return progress
    console = Console(highlight=False)
    console = Console(highlight=False, width=page_width(console))
    catalogue = catalogue_of(stack.settings)
    with closing(connect(stack.settings)) as store:
        print_summary(console, store, counts, catalogue, seconds)
    return console
