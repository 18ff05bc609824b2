"""`auditstream rules backtest`: a rule over the stored history, before it goes live."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from auditstream.cli.output import Format, FormatOption, print_json, print_rows
from auditstream.cli.rule_files import RuleArgument
from auditstream.cli.rules_history import SinceOption, Trial, UntilOption, trial
from auditstream.cli.target import UrlOption

if TYPE_CHECKING:
    from auditstream.worker.backtest import Changed

EXAMPLE = "auditstream rules backtest rules/mass_removals.yml --since 30d --against"


def register(rules: typer.Typer) -> None:
    """Add the command to those about rules."""
    rules.command("backtest", epilog=f"Example: {EXAMPLE}")(backtest)


def backtest(
    rule: RuleArgument,
    since: SinceOption = "30d",
    until: UntilOption = None,
    against: Annotated[
        bool,
        typer.Option(
            "--against", help="Show the alerts that a file adds and removes to what is in force."
        ),
    ] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Rows at most.")] = 100,
    form: FormatOption = Format.table,
    url: UrlOption = None,
) -> None:
    """Show the hits of a rule over history, by day and group; nothing is written, no alert raised.

    With --against: the alerts that the version in the file adds (+) and removes (-), by group and
    window.
    """
    asked = trial(rule, since, until, url=url)
    if against and asked.meant.file is None:
        raise typer.BadParameter("it compares a file with what is in force", param_hint="--against")
    show = _show_difference if against else _show_days
    show(asked, limit, form)


def _show_days(asked: Trial, limit: int, form: Format) -> None:
    from auditstream.worker import backtest as history

    rules, name = asked.meant.rules, asked.meant.name
    with asked.store() as store:
        found = history.by_day(store, rules, name, asked.since, asked.until, limit)
    names = history.identity(rules, name)[0]
    rows = [(row.day, _told(names, row.group), row.alerts, row.hits) for row in found.first]
    print_rows(("day", "group", "alerts", "hits"), rows, form)
    if form is Format.table:
        rest = f", {found.days - len(rows)} rows more" if found.days > len(rows) else ""
        typer.echo(f"{name}: {found.alerts} alerts, {found.hits} hits{rest}")


def _show_difference(asked: Trial, limit: int, form: Format) -> None:
    from auditstream.worker import backtest as history

    rules, name = asked.meant.rules, asked.meant.name
    force = asked.meant.in_force
    known = name in {one.name for one in force.rules} | set(force.correlations.rules)
    old = force if known else None
    with asked.store() as store:
        told = history.difference(store, rules, old, name, asked.since, asked.until, limit)
    rows = _rows("+", history.identity(rules, name)[0], told.added)
    rows += _rows("-", history.identity(old or rules, name)[0], told.removed)
    columns = ("change", "first", "group", "hits")
    if form is Format.json:
        print_json(
            {
                "rule": name,
                "added": told.added.alerts,
                "removed": told.removed.alerts,
                "kept": told.kept,
                "alerts": [dict(zip(columns, row, strict=True)) for row in rows],
            }
        )
        return
    print_rows(columns, rows, form)
    if form is Format.table:
        typer.echo(
            f"{name}: {told.added.alerts} alerts added, {told.removed.alerts} removed, "
            f"{told.kept} kept"
        )


def _rows(sign: str, names: Sequence[str], changed: Changed) -> list[tuple[object, ...]]:
    return [(sign, first, _told(names, group), hits) for first, group, hits in changed.first]


def _told(names: Sequence[str], values: Sequence[str | None]) -> str:
    return " ".join(f"{name}={value or ''}" for name, value in zip(names, values, strict=True))
