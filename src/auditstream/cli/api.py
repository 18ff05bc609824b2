"""`auditstream api`: the audit-log endpoint."""

from __future__ import annotations

from typing import Annotated

import typer

from auditstream.cli.target import BrokersOption, UrlOption, target

EXAMPLE = "auditstream api --port 8700"


def register(app: typer.Typer, panel: str) -> None:
    """Add the command to the app."""
    app.command("api", rich_help_panel=panel, epilog=f"Example: {EXAMPLE}")(run_api)


def run_api(
    host: Annotated[
        str | None, typer.Option("--host", help="Address to listen on; loopback by default.")
    ] = None,
    port: Annotated[int | None, typer.Option("--port", help="Port to listen on.")] = None,
    fd: Annotated[
        int | None,
        typer.Option("--fd", help="Inherited socket that listens already; no host and port then."),
    ] = None,
    url: UrlOption = None,
    brokers: BrokersOption = None,
) -> None:
    """Answer requests for the audit log until SIGTERM or Ctrl-C.

    Clients show a workspace token: see `auditstream tokens`. Every access is published as the
    event audit_log_accessed. Put a proxy with TLS in front of it before others can reach it.
    """
    from auditstream.api.serve import run

    flags = {"api_host": host, "api_port": port}
    settings = target(url=url, brokers=brokers)
    given = {name: value for name, value in flags.items() if value is not None}
    settings = settings.model_copy(update=given)
    where = f"http://{settings.api_host}:{settings.api_port}" if fd is None else f"socket {fd}"
    typer.echo(f"auditstream api on {where}", err=True)
    run(settings, fd)
