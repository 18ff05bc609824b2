"""An alert as it stands on the console: clear when read for the first time at 3 a.m."""

from __future__ import annotations

from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from auditstream.alerts.neutral import printable
from auditstream.alerts.wording import told_sentence, told_when
from auditstream.contract.alert import Alert

STYLES: Final[dict[str, str]] = {
    "informational": "dim",
    "low": "cyan",
    "medium": "yellow",
    "high": "bold red",
    "critical": "bold white on red",
}


def print_alert(console: Console, alert: Alert, count: int, heading: str = "") -> None:
    """Print an alert: a short block on a terminal, one line without colour in a pipe."""
    if console.is_terminal:
        console.print(alert_block(alert, count, heading))
    else:
        console.print(
            alert_line(alert, count, heading), markup=False, highlight=False, soft_wrap=True
        )


def alert_line(alert: Alert, count: int, heading: str = "") -> str:
    """Return the alert as one line of text."""
    why = f"  why: {alert.reason}" if alert.reason else ""
    runbook = f"  runbook: {alert.runbook}" if alert.runbook else ""
    link = f"  see: {alert.link}" if alert.link else ""
    return printable(
        f"{alert.level.upper()}  {told_when(alert)}  {heading}{told_sentence(alert, count)}."
        f"{why}{runbook}{link}  alert: {alert.alert_id}"
    )


def alert_block(alert: Alert, count: int, heading: str = "") -> Table:
    """Return the alert as a block: level, time and sentence, then why it matters and what to do."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=13, no_wrap=True)
    table.add_column(overflow="fold")
    level = Text(f" {alert.level.upper()} ", style=STYLES[alert.level])
    table.add_row(level, Text(printable(f"{heading}{told_sentence(alert, count)}."), style="bold"))
    table.add_row("", Text(f"{told_when(alert)}, alert {alert.alert_id}", style="dim"))
    if alert.reason:
        table.add_row("", Text(printable(alert.reason)))
    if alert.runbook:
        table.add_row("", Text(printable(f"Runbook: {alert.runbook}")))
    if alert.link:
        table.add_row("", Text(printable(f"More: {alert.link}")))
    return table
