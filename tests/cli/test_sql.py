from __future__ import annotations

import csv
import io
import json

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from auditstream.cli.output import Format
from auditstream.cli.shell import completer, run_shell
from auditstream.settings import Settings
from auditstream.store.connection import Store
from tests.cli.conftest import Command


@pytest.fixture
def url(services: Settings) -> str:
    """Address of a ClickHouse with the tables."""
    return services.clickhouse_url


def test_answer_as_table(auditstream: Command, url: str) -> None:
    """A query's rows are a table with the column names on top."""
    answer = auditstream("sql", "SELECT number AS n, 'x' AS x FROM numbers(2)", "--url", url)
    assert answer.code == 0
    lines = [line.split() for line in answer.out.splitlines()]
    assert lines[0] == ["n", "x"]
    assert lines[2:] == [["0", "x"], ["1", "x"]]


def test_answer_as_json(auditstream: Command, url: str) -> None:
    """Numbers stay numbers, large ones too; what is absent is null."""
    query = "SELECT 9007199254740993 AS large, NULL AS none, [1, 2] AS list;"
    answer = auditstream("sql", query, "--url", url, "--format", "json")
    assert json.loads(answer.out) == [{"large": 9007199254740993, "none": None, "list": [1, 2]}]


def test_answer_as_csv(auditstream: Command, url: str) -> None:
    """CSV has a header and quotes what has to be quoted."""
    query = "SELECT 'a,\"b\"' AS text, 1 AS n"
    answer = auditstream("sql", query, "--url", url, "--format", "csv")
    assert list(csv.DictReader(io.StringIO(answer.out))) == [{"text": 'a,"b"', "n": "1"}]


def test_query_from_standard_input(auditstream: Command, url: str) -> None:
    """In a pipe the statement is read from standard input."""
    answer = auditstream("sql", "--url", url, "--format", "csv", stdin="SELECT 41 + 1 AS n\n;\n")
    assert answer.out == "n\n42\n"


def test_format_of_the_statement_wins(auditstream: Command, url: str) -> None:
    """A statement with a FORMAT of its own is printed as ClickHouse answers it."""
    answer = auditstream("sql", "SELECT 1 AS a FORMAT TSKV", "--url", url)
    assert answer.out == "a=1\n"


def test_tables_need_no_database(auditstream: Command, store: Store, url: str) -> None:
    """The tables are found by their bare names."""
    answer = auditstream("sql", "SELECT count() AS n FROM events", "--url", url, "--format", "csv")
    assert answer.out == "n\n0\n"


def test_refused_statement_exits_with_1(auditstream: Command, url: str) -> None:
    """What ClickHouse refuses is told in its words, in one line, with code 1."""
    answer = auditstream("sql", "SELECT nonsense", "--url", url)
    assert answer.code == 1
    assert "nonsense" in answer.err
    assert "Traceback" not in answer.err
    assert answer.err.count("\n") == 1


def typed(store: Store, capsys: pytest.CaptureFixture[str], *lines: str) -> tuple[str, str]:
    """Type lines into the shell until it ends; return what it printed."""
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        keys.send_text("".join(f"{line}\r" for line in lines))
        run_shell(store, Format.csv)
    printed = capsys.readouterr()
    return printed.out, printed.err


def test_shell_runs_statements_over_several_lines(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """A statement ends with a semicolon, not with the line."""
    out, _ = typed(store, capsys, "SELECT 41 + 1", "AS n;", "exit")
    assert "n\n42\n1 row, " in out


def test_shell_survives_an_error(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """A refused statement is told, and the next one runs."""
    out, err = typed(store, capsys, "SELECT nonsense;", "SELECT 7 AS n;", "quit")
    assert "nonsense" in err
    assert "n\n7\n" in out


def test_shell_knows_the_tables(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """Help names the tables; an empty line and Ctrl-D do no harm."""
    out, _ = typed(store, capsys, "help", "", "\x04")
    assert "events" in out
    assert "rejected_events" in out


def test_shell_completes_keywords_tables_and_columns() -> None:
    """A word begun in any case is completed to what it can become."""
    found = completer({"events": ["event_id", "previous_role"], "alerts": ["alert_id"]})

    def completed(text: str) -> list[str]:
        return [c.text for c in found.get_completions(Document(text), CompleteEvent())]

    assert completed("SEL") == ["SELECT"]
    assert completed("SELECT count(prev") == ["previous_role"]
    assert completed("SELECT 1 FROM EV") == ["event_id", "events"]


def test_shell_remembers(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    """A later shell recalls the statements of an earlier one."""
    typed(store, capsys, "SELECT 1234 AS n;", "exit")
    out, _ = typed(store, capsys, "\x1b[A\x1b[A", "exit")
    assert "n\n1234\n" in out
