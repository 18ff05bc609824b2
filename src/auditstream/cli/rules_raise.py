"""`auditstream rules raise`: the alerts that a rule would have raised, raised after all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from auditstream.cli.output import Format, FormatOption, print_rows
from auditstream.cli.rule_files import RuleArgument
from auditstream.cli.rules_history import SinceOption, UntilOption, trial
from auditstream.cli.target import BrokersOption, UrlOption

if TYPE_CHECKING:
    from auditstream.worker.retroactive import Survey

EXAMPLE = "auditstream rules raise rules/new.yml --since 7d"


def register(rules: typer.Typer) -> None:
    """Add the command to those about rules."""
    rules.command("raise", epilog=f"Example: {EXAMPLE}")(raise_over_history)


def raise_over_history(
    rule: RuleArgument,
    since: SinceOption = "30d",
    until: UntilOption = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, help="More alerts than this are refused.")
    ] = 100,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Raise them without asking.")] = False,
    form: FormatOption = Format.table,
    url: UrlOption = None,
    brokers: BrokersOption = None,
) -> None:
    """Raise the alerts of a rule over history, marked as retroactive; asks before it does.

    Enabling a rule raises none for what is past. These have the ids that they would have had then:
    what was raised before is not raised again. Exit 1 when nothing is raised.
    """
    from auditstream.rules.lint import described
    from auditstream.worker import retroactive

    asked = trial(rule, since, until, url=url, brokers=brokers)
    name, rules = asked.meant.name, asked.meant.rules
    if not any(one.alerts for one in described(rules) if one.name == name):
        raise typer.BadParameter(f"{name} is a part of others, and raises no alerts")
    with asked.store() as store:
        found = retroactive.survey(store, rules, name, asked.since, asked.until)
        _check(found, limit)
        alerts = retroactive.alerts_of(store, rules, found, asked.now)
        columns = ("occurred_at", "level", "alert_id", "events", "sentence")
        print_rows(
            columns,
            [(a.occurred_at, a.level, a.alert_id, a.event_count, a.sentence) for a in alerts],
            form,
        )
        question = f"{_told(found)}. Raise {len(alerts)} now?"
        if not yes and not typer.confirm(question, err=True):
            raise typer.Exit(1)
        retroactive.raise_alerts(asked.settings, store, alerts)
    typer.echo(f"{name}: {len(alerts)} alerts raised, marked retroactive", err=True)


def _check(found: Survey, limit: int) -> None:
    fresh = len(found.fresh)
    if not fresh:
        typer.echo(f"{_told(found)}: there is nothing to raise", err=True)
        raise typer.Exit(1)
    if fresh > limit:
        typer.echo(
            f"{_told(found)}: that is more than {limit:,}, and none is raised. "
            f"Choose a shorter time, or --limit {fresh}",
            err=True,
        )
        raise typer.Exit(1)


def _told(found: Survey) -> str:
    return (
        f"{found.rule} gives {len(found.fresh) + found.stored:,} alerts, "
        f"{found.stored:,} of them raised already"
    )
