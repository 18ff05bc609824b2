"""`auditstream alerts`: what on-call was told, and what they say to it."""

from __future__ import annotations

import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from auditstream.cli import alerts_deliver, alerts_silences
from auditstream.cli.alerts_options import ByOption, StateOption, moment_before
from auditstream.cli.output import Format, FormatOption, cell, print_json, print_rows
from auditstream.cli.target import UrlOption, target

if TYPE_CHECKING:
    from auditstream.store.alert_states import AlertFilter, AlertState
    from auditstream.store.alert_transitions import Transition

EXAMPLE = "auditstream alerts list --state open --level high"
SHOWN_EXAMPLE = "0f6f4a8e-8a52-5f0c-9d3e-1d2b6f1f2a01"
COLUMNS = ("level", "state", "occurred_at", "sentence", "events", "rule", "alert_id")
TAIL_SECONDS = 1.0
TAILED = 1_000
MARGIN = timedelta(minutes=10)

IdArgument: TypeAlias = Annotated[str, typer.Argument(help="Id of the alert, as `list` shows it.")]
ReasonOption: TypeAlias = Annotated[str, typer.Option("--reason", "-r", help="Why, for others.")]
LevelOption: TypeAlias = Annotated[
    str | None, typer.Option("--level", "-l", help="Lowest level, for example high.")
]
RuleOption: TypeAlias = Annotated[str | None, typer.Option("--rule", help="Only of this rule.")]
WorkspaceOption: TypeAlias = Annotated[
    str | None, typer.Option("--workspace", help="Only in the workspace with this id.")
]
ActorOption: TypeAlias = Annotated[str | None, typer.Option("--actor", help="Only by this actor.")]
SinceOption: TypeAlias = Annotated[
    str | None, typer.Option("--since", help="Only of the last 30m, 12h, 7d, or since a time.")
]


def register(app: typer.Typer, panel: str) -> None:
    """Add the commands to the app."""
    alerts = typer.Typer(no_args_is_help=True, help="Look at the alerts, and answer them.")
    for name, command, arguments in (
        ("list", list_alerts, "--state open --level high"),
        ("show", show_alert, SHOWN_EXAMPLE),
        ("ack", acknowledge_alert, f"{SHOWN_EXAMPLE} --reason 'looking at it'"),
        ("resolve", resolve_alert, f"{SHOWN_EXAMPLE} --reason 'was planned, OPS-17'"),
        ("reopen", reopen_alert, f"{SHOWN_EXAMPLE} --reason 'it was not planned'"),
        ("tail", tail_alerts, "--level medium"),
    ):
        example = f"auditstream alerts {name} {arguments}"
        alerts.command(name, epilog=f"Example: {example}")(command)
    alerts_silences.register(alerts)
    alerts_deliver.register(alerts)
    app.add_typer(alerts, name="alerts", rich_help_panel=panel, epilog=f"Example: {EXAMPLE}")


def list_alerts(
    state: StateOption = None,
    level: LevelOption = None,
    rule: RuleOption = None,
    workspace: WorkspaceOption = None,
    actor: ActorOption = None,
    since: SinceOption = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Alerts at most.")] = 50,
    form: FormatOption = Format.table,
    url: UrlOption = None,
) -> None:
    """List alerts with their state, the newest first."""
    from auditstream.alerts import life_cycle
    from auditstream.store.connection import connect

    wanted = _filter(state or [], level, rule, workspace, actor, since)
    with closing(connect(target(url=url))) as store:
        rows: list[AlertState] = []
        cursor = None
        while len(rows) < limit:
            page = life_cycle.list_alerts(store, wanted, limit=limit - len(rows), cursor=cursor)
            rows.extend(page.alerts)
            cursor = page.next_cursor
            if cursor is None:
                break
    print_rows(COLUMNS, [_row(item) for item in rows], form)


def show_alert(
    alert_id: IdArgument, form: FormatOption = Format.table, url: UrlOption = None
) -> None:
    """Show an alert: what it says, its evidence, its state and who changed it, its deliveries."""
    from dataclasses import asdict

    from auditstream.alerts.life_cycle import show_alert as read
    from auditstream.alerts.payload import alert_document
    from auditstream.contract.alert import alert_link
    from auditstream.store.connection import connect

    settings = target(url=url)
    with closing(connect(settings)) as store:
        story = read(store, alert_id)
    document = alert_document(story.alert)
    document["link"] = document["link"] or alert_link(settings.explorer_url, story.alert.alert_id)
    document["event_count"] = story.state.event_count
    document["state"] = story.state.state
    transitions = [asdict(item) for item in story.transitions]
    deliveries = [asdict(item) for item in story.deliveries]
    if form is Format.json:
        print_json(document | {"transitions": transitions, "deliveries": deliveries})
        return
    if form is Format.csv:
        print_rows(tuple(document), [tuple(document.values())], form)
        return
    event, evidence = document.pop("first_event"), document.pop("evidence")
    for name, value in document.items():
        typer.echo(f"{name:<18} {cell(value)}".rstrip())
    _section("Evidence", ("event_id", "topic", "partition", "offset"), evidence)
    _section("Changes", ("at", "state", "by", "reason"), transitions)
    sent = ("at", "state", "kind", "destination", "attempt", "held_by", "error")
    _section("Deliveries", sent, deliveries)
    if event is not None:
        typer.echo("\nFirst event")
        print_json(event)


def acknowledge_alert(
    alert_id: IdArgument, reason: ReasonOption = "", by: ByOption = None, url: UrlOption = None
) -> None:
    """Take an alert on: it is repeated and escalated no more. Exit code 1 when somebody has."""
    _change("acknowledge", alert_id, reason, by, url)


def resolve_alert(
    alert_id: IdArgument, reason: ReasonOption = "", by: ByOption = None, url: UrlOption = None
) -> None:
    """Close an alert. Exit code 1 when it is resolved already."""
    _change("resolve", alert_id, reason, by, url)


def reopen_alert(
    alert_id: IdArgument, reason: ReasonOption = "", by: ByOption = None, url: UrlOption = None
) -> None:
    """Open an acknowledged or resolved alert again. Exit code 1 when it is open."""
    _change("reopen", alert_id, reason, by, url)


def tail_alerts(
    level: LevelOption = None,
    rule: RuleOption = None,
    workspace: WorkspaceOption = None,
    actor: ActorOption = None,
    last: Annotated[int, typer.Option("--last", "-n", min=0, help="Begin with so many.")] = 5,
    seconds: Annotated[
        float | None, typer.Option("--seconds", min=0, help="End after so long.", hidden=True)
    ] = None,
    url: UrlOption = None,
) -> None:
    """Print alerts as they are stored, until Ctrl-C: a block on a terminal, a line in a pipe."""
    from rich.console import Console

    from auditstream.alerts.console import print_alert
    from auditstream.contract.catalogue import SEVERITIES
    from auditstream.store import alerts as stored
    from auditstream.store.connection import connect

    _filter([], level, rule, workspace, actor, None)
    levels = SEVERITIES[SEVERITIES.index(level) :] if level in SEVERITIES else SEVERITIES
    console = Console()
    until = None if seconds is None else time.monotonic() + seconds
    seen: set[str] = set()
    shown, since = last, None
    with closing(connect(target(url=url))) as store:
        while True:
            # Stored a moment after their detection, so some that are older may be new.
            found = [
                alert
                for alert in stored.list_alerts(store, since=since, limit=TAILED)
                if alert.alert_id not in seen
            ]
            seen.update(alert.alert_id for alert in found)
            chosen = [
                alert
                for alert in found
                if alert.level in levels
                and rule in (None, alert.rule_id)
                and workspace in (None, alert.workspace_id)
                and actor in (None, alert.actor)
            ]
            for alert in reversed(chosen[:shown]):
                print_alert(console, alert, alert.event_count)
            if until is not None and time.monotonic() >= until:
                return
            since, shown = datetime.now(UTC) - MARGIN, TAILED
            time.sleep(TAIL_SECONDS)


def _change(verb: str, alert_id: str, reason: str, by: str | None, url: str | None) -> None:
    from auditstream.alerts import life_cycle
    from auditstream.cli.alerts_options import who
    from auditstream.store.connection import connect

    with closing(connect(target(url=url))) as store:
        change: Any = getattr(life_cycle, verb)
        done: Transition = change(store, alert_id, who(by), reason)
    typer.echo(f"alert {done.alert_id} is {done.state} by {done.by}")


def _filter(
    states: list[Any],
    level: str | None,
    rule: str | None,
    workspace: str | None,
    actor: str | None,
    since: str | None,
) -> AlertFilter:
    from auditstream.contract.catalogue import SEVERITIES
    from auditstream.store.alert_states import AlertFilter

    if level is not None and level not in SEVERITIES:
        raise typer.BadParameter(f"--level {level}: one of {', '.join(SEVERITIES)} is wanted")
    return AlertFilter(
        states=tuple(state.value for state in states),
        level=level,
        rule_id=rule,
        workspace_id=workspace,
        actor=actor,
        since=moment_before(since, datetime.now(UTC)) if since else None,
    )


def _row(item: AlertState) -> tuple[Any, ...]:
    return (
        item.level,
        item.state,
        item.occurred_at,
        item.sentence,
        item.event_count,
        item.rule_id,
        item.alert_id,
    )


def _section(heading: str, columns: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    if rows:
        typer.echo(f"\n{heading}")
        print_rows(columns, [[row[name] for name in columns] for row in rows], Format.table)
