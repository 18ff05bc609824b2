"""The SQL shell: history, completion, highlighting."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import platformdirs
import typer
from prompt_toolkit import PromptSession
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.completion import WordCompleter
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import FileHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.lexers import PygmentsLexer

from auditstream.cli.output import Format
from auditstream.cli.sql import execute
from auditstream.errors import AuditStreamError, StoreError

if TYPE_CHECKING:
    from auditstream.store.connection import Store

LEAVE: Final = frozenset({"exit", "quit", "\\q"})
HELP: Final = "help"
KEYWORDS: Final = (
    "SELECT FROM WHERE GROUP BY ORDER HAVING LIMIT AND OR NOT IN LIKE ILIKE IS NULL AS DESC ASC "
    "JOIN LEFT ON USING WITH UNION ALL DISTINCT BETWEEN CASE WHEN THEN ELSE END SHOW TABLES "
    "DESCRIBE count() countIf uniq uniqExact argMax any sum avg min max toDate toStartOfHour "
    "toStartOfDay now() INTERVAL"
)
USAGE: Final = """\
A statement ends with a semicolon and may take several lines.
Tab completes, up and down recall, exit or Ctrl-D leaves.
Tables: {tables}.
DESCRIBE events; says what each column means."""


def run_shell(store: Store, form: Format) -> None:
    """Read statements and print their rows until `exit` or Ctrl-D; errors do not end it."""
    columns = _columns(store)
    typer.echo(f"ClickHouse at {store.url}, database {store.database}; help and exit are commands.")
    session: PromptSession[str] = PromptSession(
        history=FileHistory(str(_history_file())),
        completer=completer(columns),
        lexer=PygmentsLexer.from_filename("statement.sql"),
        auto_suggest=AutoSuggestFromHistory(),
        multiline=True,
        prompt_continuation="  ... ",
        key_bindings=_keys(),
        complete_while_typing=False,
    )
    while True:
        try:
            statement = session.prompt("sql> ").strip()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return
        command = statement.rstrip(";").strip().lower()
        if command in LEAVE:
            return
        if command == HELP:
            typer.echo(USAGE.format(tables=", ".join(columns)))
        elif command:
            _run(store, statement, form)


def _run(store: Store, statement: str, form: Format) -> None:
    started = time.monotonic()
    try:
        rows = execute(store, statement, form)
    except AuditStreamError as error:
        typer.secho(str(error), fg=typer.colors.RED, err=True)
        return
    milliseconds = (time.monotonic() - started) * 1000
    count = "done" if rows is None else f"{rows:,} row{'' if rows == 1 else 's'}"
    typer.secho(f"{count}, {milliseconds:.0f} ms", dim=True)


def _keys() -> KeyBindings:
    """Enter ends a statement after a semicolon or a command, else it starts a new line."""
    keys = KeyBindings()

    @Condition
    def finished() -> bool:
        from prompt_toolkit.application import get_app

        text = get_app().current_buffer.text.strip()
        return not text or text.endswith(";") or text.lower() in LEAVE | {HELP}

    @keys.add("enter", filter=finished)
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    return keys


def completer(columns: dict[str, list[str]]) -> WordCompleter:
    """Return a completer of keywords, tables and columns, in whatever case they are begun."""
    words = {*KEYWORDS.split(), *columns, *(name for names in columns.values() for name in names)}
    return WordCompleter(sorted(words), ignore_case=True)


def _columns(store: Store) -> dict[str, list[str]]:
    """Return the tables of the database and the columns of each."""
    sql = "SELECT table, groupArray(name) FROM system.columns WHERE database = {database:String}"
    try:
        frame = store.query_frame(
            f"{sql} GROUP BY table ORDER BY table", {"database": store.database}
        )
    except StoreError:
        return {}
    return {str(table): list(names) for table, names in frame.iter_rows()}


def _history_file() -> Path:
    directory = platformdirs.user_state_path("auditstream", appauthor=False, ensure_exists=True)
    return directory / "sql_history"
