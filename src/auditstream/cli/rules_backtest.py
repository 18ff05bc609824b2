"""`auditstream rules backtest`: a rule over the stored history, before it goes live."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from auditstream.cli.alerts_options import moment_before
from auditstream.cli.output import Format, FormatOption, print_json, print_rows
from auditstream.cli.rule_files import RuleArgument, chosen
from auditstream.cli.target import UrlOption, target

if TYPE_CHECKING:
    import polars as pl

SinceOption: TypeAlias = Annotated[
    str, typer.Option("--since", help="From 30d or 12h ago on, or from a time on.")
]
UntilOption: TypeAlias = Annotated[
    str | None, typer.Option("--until", help="Until 12h ago, or a time; without it: now.")
]
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
    from auditstream.store.connection import connect
    from auditstream.worker import backtest as history

    settings = target(url=url)
    now = datetime.now(UTC)
    start, end = times(since, until, now)
    meant = chosen(rule, settings)
    name, rules, in_force = meant.name, meant.rules, meant.in_force
    if against and meant.file is None:
        raise typer.BadParameter("it compares a file with what is in force", param_hint="--against")
    end = history.settled(rules, name, end, now)
    with closing(connect(settings)) as store:
        found = history.backtest(store, rules, name, start, end)
        if against:
            known = name in {one.name for one in in_force.rules} | set(in_force.correlations.rules)
            before = history.backtest(store, in_force, name, start, end) if known else None
    group = history.identity(rules, name)[0]
    if not against:
        _print_days(name, found, group, limit, form)
        return
    added, removed = (
        (found, found.clear())
        if before is None
        else history.difference((rules, found), (in_force, before), name)
    )
    old_group = group if before is None else history.identity(in_force, name)[0]
    rows = [("+", *row) for row in _alerts(added, group, limit)]
    rows += [("-", *row) for row in _alerts(removed, old_group, limit)]
    if form is Format.json:
        print_json(
            {
                "rule": name,
                "added": added.height,
                "removed": removed.height,
                "kept": found.height - added.height,
                "alerts": [
                    dict(zip(("change", "first", "group", "hits"), row, strict=True))
                    for row in rows
                ],
            }
        )
        return
    print_rows(("change", "first", "group", "hits"), rows, form)
    if form is Format.table:
        kept = found.height - added.height
        typer.echo(f"{name}: {added.height} alerts added, {removed.height} removed, {kept} kept")


def times(since: str, until: str | None, now: datetime) -> tuple[datetime, datetime]:
    """Return the times that the options mean."""
    start = moment_before(since, now)
    end = moment_before(until, now) if until else now
    if start >= end:
        raise typer.BadParameter("it is not before --until", param_hint="--since")
    return start, end


def _print_days(
    name: str, found: pl.DataFrame, group: tuple[str, ...], limit: int, form: Format
) -> None:
    import polars as pl

    days = (
        found.group_by(pl.col("first").dt.date().alias("day"), "group")
        .agg(alerts=pl.len(), hits=pl.col("hits").sum())
        .sort("day", "hits", "group", descending=[False, True, False])
    )
    rows = [
        (row["day"], _told(group, row["group"]), row["alerts"], row["hits"])
        for row in days.head(limit).to_dicts()
    ]
    print_rows(("day", "group", "alerts", "hits"), rows, form)
    if form is Format.table:
        rest = f", {days.height - limit} rows more" if days.height > limit else ""
        typer.echo(f"{name}: {found.height} alerts, {found['hits'].sum()} hits{rest}")


def _alerts(
    found: pl.DataFrame, group: tuple[str, ...], limit: int
) -> list[tuple[datetime, str, int]]:
    return [
        (row["first"], _told(group, row["group"]), row["hits"])
        for row in found.head(limit).to_dicts()
    ]


def _told(names: tuple[str, ...], values: list[str | None]) -> str:
    return " ".join(f"{name}={value or ''}" for name, value in zip(names, values, strict=True))
