"""`auditstream tokens`: who may read the audit log of a workspace over HTTP."""

from __future__ import annotations

import getpass
import re
import socket
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from auditstream.cli.output import Format, FormatOption, print_json, print_rows
from auditstream.cli.target import UrlOption, target
from auditstream.errors import ConfigurationError

if TYPE_CHECKING:
    from auditstream.api.issue import Issued
    from auditstream.store.connection import Store
    from auditstream.store.tokens import Token

EXAMPLE = "auditstream tokens create acme --name 'SIEM export' --scope read --scope export"
LIST_EXAMPLE = "auditstream tokens list acme"
ROTATE_EXAMPLE = "auditstream tokens rotate 4f68a254168a90b1 --overlap 1d"
REVOKE_EXAMPLE = "auditstream tokens revoke 4f68a254168a90b1"

_SPAN = re.compile(r"(\d{1,5})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def register(app: typer.Typer, panel: str) -> None:
    """Add the commands to the app."""
    tokens = typer.Typer(no_args_is_help=True, help="Make and end workspace tokens.")
    tokens.command("create", epilog=f"Example: {EXAMPLE}")(create)
    tokens.command("list", epilog=f"Example: {LIST_EXAMPLE}")(list_tokens)
    tokens.command("rotate", epilog=f"Example: {ROTATE_EXAMPLE}")(rotate)
    tokens.command("revoke", epilog=f"Example: {REVOKE_EXAMPLE}")(revoke)
    app.add_typer(tokens, name="tokens", rich_help_panel=panel, epilog=f"Example: {EXAMPLE}")


def create(
    workspace: Annotated[str, typer.Argument(help="Name of the workspace as it stands in URLs.")],
    name: Annotated[str, typer.Option("--name", help="What the token is for.")] = "",
    scope: Annotated[
        list[str] | None, typer.Option("--scope", help="read, export, alerts; read if not given.")
    ] = None,
    expires: Annotated[
        str | None, typer.Option("--expires", help="Ends after so long, like 90d or 12h.")
    ] = None,
    workspace_id: Annotated[
        str | None,
        typer.Option("--workspace-id", help="Id of the workspace; found by its events if it can."),
    ] = None,
    form: FormatOption = Format.table,
    url: UrlOption = None,
) -> None:
    """Make a token that reads one workspace. Its secret is shown now and never again."""
    from auditstream.api.issue import create_token
    from auditstream.store.connection import connect
    from auditstream.store.tokens import SCOPES

    scopes = tuple(dict.fromkeys(scope or ["read"]))
    for unknown in set(scopes) - set(SCOPES):
        raise typer.BadParameter(f"--scope {unknown}: one of {', '.join(SCOPES)}")
    now = datetime.now(UTC)
    with closing(connect(target(url=url))) as store:
        issued = create_token(
            store,
            workspace_id=workspace_id or _workspace_id(store, workspace),
            workspace_username=workspace,
            name=name,
            scopes=scopes,
            by=_who(),
            now=now,
            expires_at=now + _span("--expires", expires) if expires else None,
        )
    _print_issued(issued, form)


def list_tokens(
    workspace: Annotated[
        str | None, typer.Argument(help="Name of a workspace; all of them if not given.")
    ] = None,
    form: FormatOption = Format.table,
    url: UrlOption = None,
) -> None:
    """List tokens: what they may do, who made them, when they were last used, how they stand."""
    from auditstream.store.connection import connect
    from auditstream.store.tokens import last_uses, read_tokens

    with closing(connect(target(url=url))) as store:
        tokens = read_tokens(store, workspace)
        uses = last_uses(store, tokens)
    now = datetime.now(UTC)
    columns = (
        "token_id",
        "workspace",
        "name",
        "scopes",
        "state",
        "created_at",
        "created_by",
        "expires_at",
        "rotated_at",
        "last_used_at",
    )
    rows = [
        (
            token.token_id,
            token.workspace_username,
            token.name,
            ",".join(token.scopes),
            _state(token, now),
            token.created_at,
            token.created_by,
            token.expires_at,
            token.rotated_at,
            uses.get(token.token_id),
        )
        for token in tokens
    ]
    print_rows(columns, rows, form)


def rotate(
    token_id: Annotated[str, typer.Argument(help="Id of the token.")],
    overlap: Annotated[
        str, typer.Option("--overlap", help="For how long the old secret is still taken.")
    ] = "1d",
    form: FormatOption = Format.table,
    url: UrlOption = None,
) -> None:
    """Give a token a new secret, shown now and never again; the old one is taken for a while."""
    from auditstream.api.issue import rotate_token
    from auditstream.store.connection import connect

    span = _span("--overlap", overlap)
    with closing(connect(target(url=url))) as store:
        token = _live(store, token_id)
        issued = rotate_token(store, token, overlap=span, by=_who(), now=datetime.now(UTC))
    _print_issued(issued, form)


def revoke(
    token_id: Annotated[str, typer.Argument(help="Id of the token.")], url: UrlOption = None
) -> None:
    """End a token within seconds, for good."""
    from auditstream.api.issue import revoke_token
    from auditstream.store.connection import connect

    with closing(connect(target(url=url))) as store:
        revoke_token(store, _live(store, token_id), by=_who(), now=datetime.now(UTC))
    typer.echo(f"{token_id} is revoked")


def _live(store: Store, token_id: str) -> Token:
    from auditstream.api.issue import find_token

    token = find_token(store, token_id)
    if token is None or token.ended(datetime.now(UTC)):
        state = "there is no token" if token is None else "revoked or expired already:"
        typer.echo(f"auditstream: {state} {token_id}", err=True)
        raise typer.Exit(1)
    return token


def _workspace_id(store: Store, username: str) -> str:
    from auditstream.store.tokens import find_workspaces

    found = find_workspaces(store, username)
    if len(found) != 1:
        reason = f"has the ids {', '.join(found)}" if found else "has no events yet"
        raise ConfigurationError(f"workspace {username} {reason}: name its id by --workspace-id")
    return found[0]


def _span(option: str, text: str) -> timedelta:
    match = _SPAN.fullmatch(text)
    if match is None:
        raise typer.BadParameter(f"{option} {text!r}: a number and s, m, h or d, like 90d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _who() -> str:
    return f"{getpass.getuser()}@{socket.gethostname()}"


def _state(token: Token, now: datetime) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "expired" if token.ended(now) else "active"


def _print_issued(issued: Issued, form: Format) -> None:
    token = issued.token
    fields = {
        "token": token.token_id,
        "secret": issued.secret,
        "workspace": token.workspace_username,
        "workspace_id": token.workspace_id,
        "scopes": ",".join(token.scopes),
        "expires_at": token.expires_at,
    }
    if form is Format.table:
        for name, value in fields.items():
            typer.echo(f"{name:<14}{'never' if value is None else value}")
    elif form is Format.json:
        print_json(fields)
    else:
        print_rows(list(fields), [list(fields.values())], form)
