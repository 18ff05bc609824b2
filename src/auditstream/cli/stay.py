"""What `demo` and `up` say and do while they stay up."""

from __future__ import annotations

import time
from pathlib import Path
from typing import IO, Final, Never

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from auditstream.cli.stack import Stack
from auditstream.settings import Settings

POLL_SECONDS: Final = 0.3
COMMANDS: Final = (
    ("auditstream sql", "a SQL shell with completion; the table is audit.events"),
    ("auditstream alerts list", "the alerts so far"),
    ("auditstream rejects list", "what could not be stored, and why"),
    ("auditstream publish events.jsonl", "publish events of your own"),
)


def where(settings: Settings, directory: Path) -> RenderableType:
    """Return where the services are and which commands work meanwhile."""
    places = _pairs(
        ("ClickHouse", settings.clickhouse_url),
        ("Kafka", settings.kafka_brokers),
        ("Directory", str(directory)),
    )
    return Group(places, Text(), _pairs(*COMMANDS))


def stay(stack: Stack, console: Console) -> Never:
    """Print alerts as they come until a signal ends it.

    Raises:
        ChildEndedError: the worker or the notifier has ended by itself.
        KeyboardInterrupt: a signal has come.
    """
    console.print(Text("\nUp until Ctrl-C; alerts appear here.\n", style="dim"))
    with stack.notifier.out.open(encoding="utf-8", errors="replace") as alerts:
        alerts.seek(0, 2)
        while True:
            stack.check()
            _print_new(alerts, console)
            time.sleep(POLL_SECONDS)


def _print_new(alerts: IO[str], console: Console) -> None:
    while line := alerts.readline():
        console.print(Text(line.rstrip("\n")))


def _pairs(*pairs: tuple[str, str]) -> Table:
    table = Table.grid(padding=(0, 3, 0, 0))
    table.add_column(style="bold", no_wrap=True, min_width=14)
    table.add_column(overflow="fold")
    for left, right in pairs:
        table.add_row(f"  {left}", Text(right))
    return table
