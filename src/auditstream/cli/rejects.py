"""`auditstream rejects`: records that could not be stored, and their second chance."""

from __future__ import annotations

import base64
from contextlib import closing
from typing import Annotated, Any, TypeAlias

import typer

from auditstream.cli.output import Format, FormatOption, cell, print_json, print_rows
from auditstream.cli.rejected import Reject, Selection, read_rejects
from auditstream.cli.target import BrokersOption, UrlOption, target

EXAMPLE = "auditstream rejects list --reason unknown_action"
SHOW_EXAMPLE = "auditstream rejects show 0:1234"
REPLAY_EXAMPLE = "auditstream rejects replay --reason unknown_action"

ReasonOption: TypeAlias = Annotated[
    str | None, typer.Option("--reason", "-r", help="Only those rejected for this reason code.")
]


def register(app: typer.Typer, panel: str) -> None:
    """Add the commands to the app."""
    rejects = typer.Typer(no_args_is_help=True, help="Look at rejected events, and replay them.")
    rejects.command("list", epilog=f"Example: {EXAMPLE}")(list_rejects)
    rejects.command("show", epilog=f"Example: {SHOW_EXAMPLE}")(show_reject)
    rejects.command("replay", epilog=f"Example: {REPLAY_EXAMPLE}")(replay_rejects)
    app.add_typer(rejects, name="rejects", rich_help_panel=panel, epilog=f"Example: {EXAMPLE}")


def list_rejects(
    reason: ReasonOption = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Records at most.")] = 50,
    form: FormatOption = Format.table,
    url: UrlOption = None,
) -> None:
    """List rejected records, the newest first. Their position is what `show` and `replay` take."""
    from auditstream.store.connection import connect

    with closing(connect(target(url=url))) as store:
        rows = read_rejects(store, Selection(reason=reason, limit=limit))
    columns = ("position", "rejected_at", "reason", "field", "message", "event_id")
    print_rows(
        columns,
        [(r.position, r.rejected_at, r.reason, r.field, r.message, r.event_id) for r in rows],
        form,
    )


def show_reject(
    position: Annotated[str, typer.Argument(help="PARTITION:OFFSET, as `list` shows it.")],
    form: Annotated[
        Format, typer.Option("--format", "-f", help="table or json; json has all bytes in base64.")
    ] = Format.table,
    url: UrlOption = None,
) -> None:
    """Show a rejected record: the reason, its bytes, and what can be read of it."""
    from auditstream.store.connection import connect

    with closing(connect(target(url=url))) as store:
        rows = read_rejects(store, Selection(positions=_positions([position])), with_bytes=True)
    if not rows:
        typer.echo(f"auditstream: nothing was rejected at {position}", err=True)
        raise typer.Exit(1)
    for reject in rows:
        if form is Format.json:
            print_json(_document(reject))
        else:
            _print_reject(reject)


def replay_rejects(
    positions: Annotated[
        list[str] | None, typer.Argument(help="PARTITION:OFFSET of records, as `list` shows them.")
    ] = None,
    reason: ReasonOption = None,
    everything: Annotated[bool, typer.Option("--all", help="All rejected records.")] = False,
    url: UrlOption = None,
    brokers: BrokersOption = None,
) -> None:
    """Publish rejected records again, as they were, after what was wrong has been put right.

    They are checked like new ones. A record that was stored meanwhile is dropped as a repeat.
    """
    from auditstream.alerts.records import Record, send_records
    from auditstream.store.connection import connect

    if not (positions or reason or everything):
        raise typer.BadParameter("name positions, a --reason, or --all")
    settings = target(url=url, brokers=brokers)
    selection = Selection(reason=reason, positions=_positions(positions or []))
    with closing(connect(settings)) as store:
        rejects = read_rejects(store, selection, with_bytes=True)
    records = (Record(reject.key, reject.value) for reject in rejects)
    count = send_records(settings, settings.events_topic, records)
    typer.echo(f"{count} replayed to topic {settings.events_topic}")
    if not count:
        raise typer.Exit(1)


def _positions(texts: list[str]) -> tuple[tuple[int, int], ...]:
    found = []
    for text in texts:
        partition, colon, offset = text.partition(":")
        if not (colon and partition.isdecimal() and offset.isdecimal()):
            raise typer.BadParameter(f"{text!r} is not of the form PARTITION:OFFSET, like 0:1234")
        found.append((int(partition), int(offset)))
    return tuple(found)


def _document(reject: Reject) -> dict[str, Any]:
    return {
        "position": reject.position,
        "stream": reject.stream,
        "rejected_at": reject.rejected_at,
        "reason": reject.reason,
        "field": reject.field,
        "message": reject.message,
        "event_id": reject.event_id,
        "key": None if reject.key is None else base64.b64encode(reject.key).decode(),
        "value": None if reject.value is None else base64.b64encode(reject.value).decode(),
        "datum": reject.datum(),
    }


def _print_reject(reject: Reject) -> None:
    fields = _document(reject) | {
        "key": reject.key,
        "value": "none" if reject.value is None else f"{len(reject.value):,} bytes",
    }
    datum = fields.pop("datum")
    for name, value in fields.items():
        typer.echo(f"{name:<12} {cell(value)}".rstrip())
    if datum is not None:
        typer.echo("\nWhat can be read of it:")
        print_json(datum)
    elif reject.value:
        typer.echo("\nIts first bytes:")
        typer.echo(reject.dump())
