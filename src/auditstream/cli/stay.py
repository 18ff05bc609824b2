"""What `demo` and `up` say and do while they stay up."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from typing import IO, Final, Never

from rich.console import Console
from rich.table import Table
from rich.text import Text

from auditstream.cli.endpoint import Endpoint
from auditstream.cli.stack import Stack

POLL_SECONDS: Final = 0.3
NAME: Final = "auditstream"
TOKENS: Final = (
    "auditstream tokens create WORKSPACE",
    "a token for the page; --scope export and alerts for more",
)
COMMANDS: Final = (
    TOKENS,
    ("auditstream sql", "a SQL shell with completion; the table is events"),
    ("auditstream alerts list", "the alerts so far"),
    ("auditstream rejects list", "what could not be stored, and why"),
    ("auditstream publish events.jsonl", "publish events of your own; --help shows a line"),
)
NEXT: Final = (
    ("auditstream demo", "stays up after the summary, for queries of your own"),
    ("auditstream up", "the same without a story, on a directory that stays"),
    ("auditstream actions", "what can be audited"),
    ("auditstream --help", "everything else"),
)


def stay(
    stack: Stack,
    endpoint: Endpoint,
    directory: Path,
    console: Console,
    credentials: tuple[tuple[str, str], ...] = (),
) -> Never:
    """Say where the services are and what works meanwhile, then print alerts as they come.

    `credentials` are pairs of a name and what to type into the page under that name.

    Raises:
        ChildEndedError: a process of the stack or the endpoint has ended by itself.
        KeyboardInterrupt: a signal has come.
    """
    places = (
        ("Page", endpoint.url),
        *credentials,
        ("ClickHouse", stack.settings.clickhouse_url),
        ("Kafka", stack.settings.kafka_brokers),
        ("Directory", str(directory)),
    )
    with stack.notifier.out.open(encoding="utf-8", errors="replace") as alerts:
        alerts.seek(0, 2)
        console.print(Text("\nUp until Ctrl-C", style="bold"))
        console.print(_pairs(*places))
        console.print(Text("\nTry in another terminal", style="bold"))
        console.print(_commands(*COMMANDS))
        console.print(Text("\nNew alerts appear here.", style="dim"))
        while True:
            stack.check()
            endpoint.check()
            _print_new(alerts, console)
            time.sleep(POLL_SECONDS)


def print_next(console: Console) -> None:
    """Say how to go on once the demo has ended."""
    console.print(Text("\nHow to go on", style="bold"))
    console.print(_commands(*NEXT))


def program() -> str:
    """Return how to call this program: its name where the shell finds it, else as it was called."""
    called, found = Path(sys.argv[0]), shutil.which(NAME)
    if called.name != NAME or (found is not None and called.samefile(found)):
        return NAME
    return str(called)


def _print_new(alerts: IO[str], console: Console) -> None:
    while line := alerts.readline():
        console.print(Text(line.rstrip("\n")))


def _commands(*pairs: tuple[str, str]) -> Table:
    return _pairs(*((f"{program()}{left.removeprefix(NAME)}", right) for left, right in pairs))


def _pairs(*pairs: tuple[str, str]) -> Table:
    table = Table.grid(padding=(0, 3, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", style="dim")
    for left, right in pairs:
        table.add_row(f"  {left}", Text(right))
    return table
