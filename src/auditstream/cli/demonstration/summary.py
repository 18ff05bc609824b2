"""The demo's last page: what was stored, alerts, rejected events, three answers, how to go on."""

from __future__ import annotations

from typing import Final

import polars as pl
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from auditstream.alerts.console import STYLES
from auditstream.alerts.neutral import printable
from auditstream.cli.demonstration.answers import QUESTIONS, Question
from auditstream.cli.demonstration.counts import Counts
from auditstream.cli.output import table_of
from auditstream.contract.catalogue import Catalogue
from auditstream.contract.reasons import REASONS
from auditstream.store.connection import Store

NARROW: Final = 80
WIDE: Final = 110
BAR: Final = 24
URGENT: Final = ("critical", "high")
SHOWN_ALERTS: Final = 20
ANSWER_ROWS: Final = 8


def page_width(console: Console) -> int:
    """Return the width of the page on a console: 80 to 110 columns."""
    return min(max(console.width, NARROW), WIDE)


def print_summary(
    console: Console, store: Store, counts: Counts, catalogue: Catalogue, seconds: float
) -> None:
    """Print the page, but for how to go on."""
    console.print(_headline(counts, seconds))
    print_section(console, "Events", _events(counts, catalogue))
    print_section(console, "Alerts", _alerts(store))
    print_section(console, "Rejected events", _rejected(store, console.width))
    for number, question in enumerate(QUESTIONS, start=1):
        print_section(console, f"Question {number}: {question.title}", _answer(store, question))


def print_section(console: Console, title: str, body: RenderableType) -> None:
    """Print a title and what stands under it."""
    console.print()
    console.print(Text(title, style="bold"))
    console.print(Padding(body, (0, 0, 0, 2)))


def _headline(counts: Counts, seconds: float) -> RenderableType:
    stored = counts.table.events
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(min_width=12)
    table.add_column(justify="right")
    table.add_column(style="dim")
    for name, number, meaning in (
        ("  published", counts.published, "records, by the producers' own count"),
        (
            "  rejected",
            counts.table.rejected,
            "kept with their bytes and a reason",
        ),
        ("  repeated", counts.topic.repeats, "were sent twice by their producer"),
        ("  stored", stored, "rows of audit.events, no event id twice"),
    ):
        table.add_row(name, f"{number:,}", meaning)
    line = Text(f"{stored:,} events stored, each once, {seconds:.0f} s after the start", "bold")
    if counts.contradictions():
        line = Text("The counts do not agree; see the end", "bold red")
    return Group(line, table)


def _events(counts: Counts, catalogue: Catalogue) -> RenderableType:
    actions = counts.table.actions
    most = max(actions.values(), default=1)
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(justify="right")
    table.add_column()
    for category in catalogue.categories.values():
        names = [a.name for a in catalogue.actions.values() if a.category == category.name]
        total = sum(actions.get(name, 0) for name in names)
        table.add_row(Text(category.title, style="cyan"), Text(f"{total:,}", style="cyan"), "")
        for name in names:
            count = actions.get(name, 0)
            bar = "█" * max(round(BAR * count / most), 1) if count else ""
            table.add_row(f"  {name}", f"{count:,}", Text(bar, style="cyan"))
    return table


def _alerts(store: Store) -> RenderableType:
    rows = store.query_frame(
        "SELECT toString(level) AS level, occurred_at, sentence "
        "FROM {database:Identifier}.alerts ORDER BY alerts.level DESC, occurred_at, alert_id",
        {"database": store.database},
    )
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    shown = rows.filter(pl.col("level").is_in(URGENT)).head(SHOWN_ALERTS)
    for row in shown.iter_rows(named=True):
        level = str(row["level"])
        moment = f"{row['occurred_at']:%a %d %b %H:%M}"
        table.add_row(
            Text(f" {level.upper()} ", style=STYLES.get(level, "")),
            Text(printable(f"{row['sentence']}  ({moment} UTC)")),
        )
    rest = rows[shown.height :]["level"].value_counts().sort("count")
    others = ", ".join(f"{count} {level}" for level, count in rest.iter_rows())
    return Group(table, *([Text(f"and others: {others}", style="dim")] if others else []))


def _rejected(store: Store, width: int) -> RenderableType:
    rows = store.query_frame(
        "SELECT reason, count() AS events, any(message) AS message "
        "FROM {database:Identifier}.rejected_events GROUP BY reason ORDER BY min(kafka_offset)",
        {"database": store.database},
    )
    table = Table.grid(padding=(0, 2, 0, 0))
    reasons = max(map(len, REASONS))
    for reason, events, message in rows.iter_rows():
        times = f" ({events} times)" if events > 1 else ""
        text = Text(printable(f"{message}{times}"))
        text.truncate(width - reasons - 4, overflow="ellipsis")
        table.add_row(f"{reason:<{reasons}}", text)
    return table


def _answer(store: Store, question: Question) -> RenderableType:
    sql = Syntax(question.sql, "sql", theme="ansi_dark", background_color="default", word_wrap=True)
    rows = store.query_frame(question.sql)
    answer = table_of(rows.columns, rows.head(ANSWER_ROWS).rows())
    more = rows.height - ANSWER_ROWS
    rest = [Text(f"and {more} more", style="dim")] if more > 0 else []
    return Group(sql, Text(), answer, *rest)
