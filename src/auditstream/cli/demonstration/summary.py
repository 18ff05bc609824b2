"""The demo's last page: what was stored, alerts, rejected events, three answers, how to go on."""

from __future__ import annotations

from typing import Final

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from auditstream.alerts.console import STYLES, printable
from auditstream.cli.demonstration.answers import QUESTIONS, Question
from auditstream.cli.demonstration.counts import Counts
from auditstream.cli.output import table_of
from auditstream.contract.catalogue import Catalogue
from auditstream.store.connection import Store

NARROW: Final = 80
WIDE: Final = 110
BAR: Final = 24
ANSWER_ROWS: Final = 8


def page_width(console: Console) -> int:
    """Return the width of the page on a console: 80 to 110 columns."""
    return min(max(console.width, NARROW), WIDE)


def print_summary(
    console: Console, store: Store, counts: Counts, catalogue: Catalogue, seconds: float
) -> None:
    """Print the page."""
    console.print(_headline(counts, seconds))
    _section(console, "Events", _events(counts, catalogue))
    _section(console, "Alerts", _alerts(store))
    _section(console, "Rejected events", _rejected(store))
    for number, question in enumerate(QUESTIONS, start=1):
        _section(console, f"Question {number}: {question.title}", _answer(store, question))


def _section(console: Console, title: str, *parts: RenderableType) -> None:
    console.print()
    console.print(Text(title, style="bold"))
    for part in parts:
        console.print(Padding(part, (0, 0, 0, 2)))


def _headline(counts: Counts, seconds: float) -> RenderableType:
    stored = counts.table.events
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(min_width=12)
    table.add_column(justify="right")
    table.add_column(style="dim")
    for name, number, meaning in (
        ("  published", counts.published, "what the producers say, and what the topic holds"),
        ("  rejected", counts.table.rejected, "could not be events; kept with bytes and reason"),
        ("  repeated", counts.topic.repeats, "sent twice by their producer, stored once"),
        ("  stored", stored, "rows in audit.events, every event id once"),
    ):
        table.add_row(name, f"{number:,}", meaning)
    line = f"{stored:,} events stored exactly once, {seconds:.0f} s after the start."
    return Group(Text(line, style="bold"), table)


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
        "FROM {database:Identifier}.alerts ORDER BY occurred_at, alert_id",
        {"database": store.database},
    )
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for row in rows.iter_rows(named=True):
        level = str(row["level"])
        moment = f"{row['occurred_at']:%a %d %b %H:%M}"
        table.add_row(
            Text(f" {level.upper()} ", style=STYLES.get(level, "")),
            Text(printable(f"{row['sentence']}  ({moment} UTC)")),
        )
    return table if rows.height else Text("none")


def _rejected(store: Store) -> RenderableType:
    rows = store.query_frame(
        "SELECT reason, count() AS events, any(field) AS field, any(message) AS message "
        "FROM {database:Identifier}.rejected_events GROUP BY reason ORDER BY min(kafka_offset)",
        {"database": store.database},
    )
    shown = [(*row[:2], (f"{row[2]}: " if row[2] else "") + str(row[3])) for row in rows.rows()]
    return table_of(("reason", "events", "what is wrong"), shown)


def _answer(store: Store, question: Question) -> RenderableType:
    sql = Syntax(question.sql, "sql", theme="ansi_dark", background_color="default", word_wrap=True)
    rows = store.query_frame(question.sql)
    answer = table_of(rows.columns, rows.head(ANSWER_ROWS).rows())
    more = rows.height - ANSWER_ROWS
    return Group(sql, Text(), answer, Text(f"and {more} more" if more > 0 else "", style="dim"))
