"""An alert as it stands on the console: clear when read for the first time at 3 a.m."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from auditstream.contract.alert import Alert

STYLES: Final[dict[str, str]] = {
    "informational": "dim",
    "low": "cyan",
    "medium": "yellow",
    "high": "bold red",
    "critical": "bold white on red",
}
UNPRINTABLE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
NOTICED_LATE: Final = timedelta(minutes=5)


def print_alert(console: Console, alert: Alert) -> None:
    """Print an alert: a short block on a terminal, one line without colour in a pipe."""
    if console.is_terminal:
        console.print(alert_block(alert))
    else:
        console.print(alert_line(alert), markup=False, highlight=False, soft_wrap=True)


def alert_line(alert: Alert) -> str:
    """Return the alert as one line of text."""
    why = f"  why: {alert.reason}" if alert.reason else ""
    runbook = f"  runbook: {alert.runbook}" if alert.runbook else ""
    return printable(
        f"{alert.level.upper()}  {_when(alert)}  {_sentence(alert)}.{why}{runbook}"
        f"  alert: {alert.alert_id}"
    )


def alert_block(alert: Alert) -> Table:
    """Return the alert as a block: level, time and sentence, then why it matters and what to do."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=13, no_wrap=True)
    table.add_column(overflow="fold")
    level = Text(f" {alert.level.upper()} ", style=STYLES[alert.level])
    table.add_row(level, Text(printable(f"{_sentence(alert)}."), style="bold"))
    table.add_row("", Text(f"{_when(alert)}, alert {alert.alert_id}", style="dim"))
    if alert.reason:
        table.add_row("", Text(printable(alert.reason)))
    if alert.runbook:
        table.add_row("", Text(printable(f"Runbook: {alert.runbook}")))
    return table


def printable(text: str) -> str:
    """Return `text` with what could move the cursor or hide a letter replaced by U+FFFD."""
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(letter) in UNPRINTABLE else letter
        for letter in text
    )


def _sentence(alert: Alert) -> str:
    times = f" ({alert.event_count} times)" if alert.event_count > 1 else ""
    return alert.sentence.removesuffix(".") + times


def _when(alert: Alert) -> str:
    moment = alert.occurred_at.astimezone(UTC)
    delay = alert.detected_at - alert.occurred_at
    late = f" (noticed {_span(delay)} later)" if delay >= NOTICED_LATE else ""
    return f"{_stamp(moment)}{late}"


def _stamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _span(delay: timedelta) -> str:
    minutes = int(delay.total_seconds() // 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} days"
