"""`auditstream dictionary`: what is in the database, as a page or for dbt."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import Annotated

import typer

from auditstream.cli.target import UrlOption, target

EXAMPLE = "auditstream dictionary > DICTIONARY.md"


def register(app: typer.Typer, panel: str) -> None:
    """Add the command to the app."""
    app.command("dictionary", rich_help_panel=panel, epilog=f"Example: {EXAMPLE}")(print_dictionary)


def print_dictionary(
    dbt: Annotated[
        bool, typer.Option("--dbt", help="The sources file of a dbt project instead.")
    ] = False,
    url: UrlOption = None,
) -> None:
    """Print the data dictionary in Markdown: tables, views, columns, actions and questions."""
    from auditstream.cli.target import catalogue_of
    from auditstream.store.connection import connect
    from auditstream.store.dictionary import dbt_sources, markdown, read_relations

    settings = target(url=url)
    with closing(connect(settings)) as store:
        relations = read_relations(store)
    if dbt:
        sys.stdout.write(dbt_sources(relations, settings.clickhouse_database))
    else:
        sys.stdout.write(markdown(relations, catalogue_of(settings)))
