"""`auditstream sql`: a query, or a shell for many."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from auditstream.cli.output import Format, FormatOption, print_rows
from auditstream.cli.target import UrlOption, target

if TYPE_CHECKING:
    from auditstream.store.connection import Store

EXAMPLE = 'auditstream sql "SELECT action, count() FROM events GROUP BY action ORDER BY 2 DESC"'


def register(app: typer.Typer, panel: str) -> None:
    """Add the command to the app."""
    app.command("sql", rich_help_panel=panel, epilog=f"Example: {EXAMPLE}")(run_sql)


def run_sql(
    query: Annotated[
        str | None, typer.Argument(help="A statement; none: a shell, or standard input.")
    ] = None,
    form: FormatOption = Format.table,
    url: UrlOption = None,
) -> None:
    """Query a running demo or up, or any ClickHouse by URL.

    Without a query it is a shell with history and completion; in a pipe it reads the statement
    from standard input. Names without a database are those of AUDITSTREAM_CLICKHOUSE_DATABASE.
    """
    from auditstream.store.connection import connect

    settings = target(url=url)
    with closing(connect(settings)) as store:
        if query is None and sys.stdin.isatty():
            from auditstream.cli.shell import run_shell

            run_shell(store, form)
        else:
            execute(store, sys.stdin.read() if query is None else query, form)


def execute(store: Store, statement: str, form: Format) -> int | None:
    """Run a statement and print its rows; return how many, None where it has no rows.

    A statement with a FORMAT clause of its own is printed as it comes.

    Raises:
        StoreError: ClickHouse refused the statement; the message is its own.
        ServiceUnavailableError: it cannot be reached.
    """
    numbers = {"output_format_json_quote_64bit_integers": 0}
    answer = store.query_raw(statement.strip().rstrip(";"), "JSONCompact", numbers)
    if not answer:
        return None
    try:
        document = json.loads(answer)
        columns, rows = [column["name"] for column in document["meta"]], document["data"]
    except (ValueError, KeyError, TypeError):
        sys.stdout.buffer.write(answer)
        sys.stdout.flush()
        return None
    print_rows(columns, rows, form)
    return len(rows)
