"""The commands and where each is written. Modules are imported by the command that needs them."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated, Final

import typer

from auditstream.cli import (
    actions,
    alerts,
    api,
    ask,
    config,
    demo,
    dictionary,
    migrate,
    notifier,
    publish,
    rejects,
    rules,
    schema,
    sql,
    tokens,
    up,
    worker,
)

TRY: Final = "Try it on this machine"
RUN: Final = "Run it"
LOOK: Final = "Look at what happened"
CONTRACT: Final = "Publish, and know the contract"

app = typer.Typer(
    name="auditstream",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("auditstream"))
        raise typer.Exit


@app.callback()
def auditstream(
    show_version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """The audit log of a workspace: Kafka to ClickHouse, exactly once, with alerts."""


for panel, modules in {
    TRY: (demo, up),
    LOOK: (sql, ask, alerts, rules, rejects),
    CONTRACT: (publish, actions, schema, dictionary),
    RUN: (worker, notifier, api, tokens, migrate, config),
}.items():
    for module in modules:
        module.register(app, panel)
