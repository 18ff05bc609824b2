"""`auditstream migrate`: make or update the tables."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import typer

EXAMPLE = "AUDITSTREAM_CLICKHOUSE_URL=http://clickhouse-1:8123 auditstream migrate --topics"


def register(app: typer.Typer, panel: str) -> None:
    """Add the command to the app."""
    app.command("migrate", rich_help_panel=panel, epilog=f"Example: {EXAMPLE}")(run_migrations)


def run_migrations(
    topics: Annotated[
        bool, typer.Option("--topics", help="Also make the Kafka topics that are missing.")
    ] = False,
) -> None:
    """Make the tables in ClickHouse, or bring them up to date.

    Safe to run again, and to be run by several processes at once.
    """
    from auditstream.alerts.topics import ensure_topics
    from auditstream.cli.target import catalogue_of
    from auditstream.settings import load_settings
    from auditstream.store.connection import connect
    from auditstream.store.migrate import migrate

    settings = load_settings()
    if topics:
        created = ensure_topics(settings, settings.topic_partitions)
        typer.echo(f"topics made: {', '.join(created) or 'none was missing'}")
    with closing(connect(settings)) as store:
        migrate(store, settings.retention_days, catalogue_of(settings))
    typer.echo(f"tables of {settings.clickhouse_database} are up to date")
