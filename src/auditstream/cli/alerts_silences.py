"""`auditstream alerts silence`, `unsilence` and `silences`."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from auditstream.cli.alerts_options import ByOption, moment_after, moment_before, who
from auditstream.cli.output import Format, FormatOption, print_rows
from auditstream.cli.target import UrlOption, target

EXAMPLE = "auditstream alerts silence --rule role_escalation --for 2h --reason 'onboarding'"
ID_EXAMPLE = "2c1f8f3e-57d4-4d0e-9f55-0d6f7c1c9a10"
COLUMNS = ("silence_id", "until", "what", "author", "reason", "state")
REPORT_COLUMNS = ("silence_id", "what", "author", "reason", "hidden", "levels", "newest")


def register(alerts: typer.Typer) -> None:
    """Add the commands to those about alerts."""
    alerts.command("silence", epilog=f"Example: {EXAMPLE}")(silence)
    example = f"auditstream alerts unsilence {ID_EXAMPLE}"
    alerts.command("unsilence", epilog=f"Example: {example}")(unsilence)
    example = "auditstream alerts silences --report --since 7d"
    alerts.command("silences", epilog=f"Example: {example}")(list_silences)


def silence(
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why, for others.")],
    until: Annotated[
        str, typer.Option("--for", "--until", help="How long, like 30m, 12h or 7d, or until when.")
    ],
    rule: Annotated[str | None, typer.Option("--rule", help="Alerts of this rule.")] = None,
    level: Annotated[str | None, typer.Option("--level", help="Alerts of this level.")] = None,
    actor: Annotated[str | None, typer.Option("--actor", help="Alerts about this actor.")] = None,
    workspace: Annotated[
        str | None, typer.Option("--workspace", help="Alerts in the workspace with this id.")
    ] = None,
    entity: Annotated[
        str | None, typer.Option("--entity", help="Alerts about this thing, as they show it.")
    ] = None,
    by: ByOption = None,
    url: UrlOption = None,
) -> None:
    """Hold back alerts that agree with everything given, for a while; prints the silence's id.

    What it hides is noted: see `silences --report`.
    """
    from auditstream.alerts import silences
    from auditstream.contract.catalogue import SEVERITIES
    from auditstream.store.connection import connect

    if level is not None and level not in SEVERITIES:
        raise typer.BadParameter(f"--level {level}: one of {', '.join(SEVERITIES)} is wanted")
    if not (rule or level or actor or workspace or entity):
        raise typer.BadParameter("name a --rule, --level, --actor, --workspace or --entity")
    with closing(connect(target(url=url))) as store:
        made = silences.silence(
            store,
            until=moment_after(until, datetime.now(UTC)),
            author=who(by),
            reason=reason,
            rule_id=rule,
            level=level,
            actor=actor,
            workspace_id=workspace,
            entity=entity,
        )
    typer.echo(made.silence_id)


def unsilence(
    silence_id: Annotated[str, typer.Argument(help="Id of the silence.")],
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why, for others.")] = "",
    by: ByOption = None,
    url: UrlOption = None,
) -> None:
    """End a silence before its time. Exit code 1 when it is not in force."""
    from auditstream.alerts import silences
    from auditstream.store.connection import connect

    with closing(connect(target(url=url))) as store:
        ended = silences.unsilence(store, silence_id, who(by), reason)
    typer.echo(f"silence {ended.silence_id} has ended")


def list_silences(
    everything: Annotated[bool, typer.Option("--all", help="Those that ended, too.")] = False,
    report: Annotated[bool, typer.Option("--report", help="What each of them hid.")] = False,
    since: Annotated[
        str, typer.Option("--since", help="Report on the last 12h or 7d, or since a time.")
    ] = "7d",
    form: FormatOption = Format.table,
    url: UrlOption = None,
) -> None:
    """List the silences in force; with --report what silences hid."""
    from auditstream.alerts import silences
    from auditstream.store import alert_silences
    from auditstream.store.connection import connect

    now = datetime.now(UTC)
    with closing(connect(target(url=url))) as store:
        if report:
            hidden = silences.report(store, moment_before(since, now))
            rows = [
                (
                    item.silence.silence_id,
                    _what(item.silence),
                    item.silence.author,
                    item.silence.reason,
                    item.alerts,
                    ", ".join(f"{count} {level}" for level, count in item.levels.items()),
                    "; ".join(alert.sentence for alert in item.newest),
                )
                for item in hidden
                if item.alerts or item.silence.in_force(now)
            ]
            print_rows(REPORT_COLUMNS, rows, form)
            return
        found = alert_silences.list_silences(store, None if everything else now)
    rows_ = [
        (item.silence_id, item.until, _what(item), item.author, item.reason, _state(item, now))
        for item in found
        if everything or item.in_force(now)
    ]
    print_rows(COLUMNS, rows_, form)


def _what(silence: object) -> str:
    from auditstream.store.alert_silences import MATCHED

    given = ((name, getattr(silence, name)) for name in MATCHED)
    return ", ".join(f"{name.removesuffix('_id')} {value}" for name, value in given if value)


def _state(silence: object, now: datetime) -> str:
    if getattr(silence, "cancelled", False):
        return "cancelled"
    left: timedelta = getattr(silence, "until", now) - now
    return "in force" if left > timedelta(0) else "ended"
