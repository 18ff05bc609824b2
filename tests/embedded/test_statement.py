from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditstream.embedded.statement import read_statement
from auditstream.embedded.statement_error import StatementError

FORMATS = {"native", "arrowstream", "jsoneachrow", "csv", "values", "json", "tabseparated"}


FILE = Path("F")


def reading(text: bytes) -> bytes:
    """An INSERT with data, rewritten to read the file F."""
    return read_statement(text, FORMATS).reading(FILE).text


@pytest.mark.parametrize(
    ("text", "rewritten"),
    [
        (
            b"INSERT INTO t (a, b) FORMAT Native\n\x00\x01",
            b"INSERT INTO t (a, b) FROM INFILE 'F' FORMAT Native",
        ),
        (
            b"insert into t settings async_insert = 0 format JSONEachRow\n\x00\x01",
            b"insert into t FROM INFILE 'F' settings async_insert = 0 format JSONEachRow",
        ),
        (
            b"INSERT INTO t SELECT a FROM input('a Enum8(\\'x\\' = 1)') WHERE a FORMAT CSV\n\0\1",
            b"INSERT INTO t SELECT a FROM file('F', 'CSV', 'a Enum8(\\'x\\' = 1)') WHERE a ",
        ),
        (
            b"INSERT INTO t SELECT a FROM (FROM /* ( */ Input ( 'a Int8' )) FORMAT CSV \r\n\0\1",
            b"INSERT INTO t SELECT a FROM (FROM /* ( */ file('F', 'CSV',  'a Int8' )) ",
        ),
    ],
)
def test_insert_reads_its_data_from_the_file(text: bytes, rewritten: bytes) -> None:
    """The data begins behind the FORMAT clause; the statement reads the file instead."""
    found = read_statement(text, FORMATS)
    assert found.data is not None
    assert text[found.data.start :] == b"\0\1"
    assert found.reading(FILE).text == rewritten


@pytest.mark.parametrize(
    "text",
    [
        b"INSERT INTO t VALUES ('FORMAT Native', 'FROM input(')",
        b"INSERT INTO t SELECT 'from input(\\'a UInt8\\') FORMAT Native' FROM x",
        b"INSERT INTO t SELECT $$ FROM input('a UInt8') FORMAT Native $$ FROM x",
        b"INSERT INTO t SELECT a FROM x -- FROM input('a UInt8') FORMAT Native",
        b"INSERT INTO t SELECT a /* FROM /* input('a') */ FORMAT Native */ FROM x",
        b"INSERT INTO t SELECT a AS `FORMAT Native` FROM x",
        b"INSERT INTO t SELECT format FROM x",
        b"INSERT INTO t (input) SELECT input FROM x",
        b"INSERT INTO t SELECT a FROM x FORMAT CSV",
        b"INSERT INTO t (a) FROM INFILE 'x.csv' FORMAT CSV",
        b"SELECT * FROM input('a UInt8') FORMAT Native",
        b"CREATE TABLE t (a UInt8) ENGINE = File(Native)",
    ],
)
def test_statement_without_data_is_left_alone(text: bytes) -> None:
    """Words within literals, comments, quoted names or other clauses mean nothing."""
    assert read_statement(text, FORMATS).data is None


def test_column_named_format_before_the_format() -> None:
    """Only a known format makes a FORMAT clause."""
    text = b"INSERT INTO t (format) SELECT format FROM input('format String') FORMAT CSV\nx"
    assert reading(text) == (
        b"INSERT INTO t (format) SELECT format FROM file('F', 'CSV', 'format String') "
    )


@given(st.text())
def test_a_string_literal_is_one_token(text: str) -> None:
    """Whatever a literal holds, it neither ends the statement nor is it rewritten."""
    inside = (text + "FROM input('").encode().replace(b"\\", b"\\\\").replace(b"'", b"\\'")
    head = b"INSERT INTO t SELECT '" + inside + b"' FROM "
    found = reading(head + b"input('s String') FORMAT CSV\nx")
    assert found == head + b"file('F', 'CSV', 's String') "


@given(st.binary(), st.sampled_from([b"", b"INSERT INTO t ", b"SELECT '", b"INSERT INTO t FORMAT"]))
def test_any_bytes_are_read(garbage: bytes, head: bytes) -> None:
    """Nonsense is a statement too, or refused: the engine will have its word for it."""
    with suppress(StatementError):
        found = read_statement(head + garbage, FORMATS).data
        assert found is None or found.start <= len(head + garbage)


@pytest.mark.parametrize(
    ("text", "output_format"),
    [
        (b"SELECT 1", None),
        (b"SELECT 1 FORMAT json", "json"),
        (b"SELECT 1 FORMAT Native SETTINGS max_threads = 1;", "Native"),
        (b"SELECT 'FORMAT CSV' -- FORMAT CSV", None),
        (b"SELECT (SELECT format FROM x) FORMAT CSV", "CSV"),
        (b"WITH 1 AS format SELECT format FORMAT CSV", "CSV"),
    ],
)
def test_output_format(text: bytes, output_format: str | None) -> None:
    """The FORMAT clause of the statement itself counts."""
    assert read_statement(text, FORMATS).format == output_format


@pytest.mark.parametrize(
    ("text", "returns_rows", "streams"),
    [
        (b"SELECT 1", True, True),
        (b"(SELECT 1) UNION ALL (SELECT 2)", True, True),
        (b"/* x */ WITH 1 AS a SELECT a", True, True),
        (b"SELECT a, count() FROM t GROUP BY a WITH TOTALS", True, False),
        (b"SHOW TABLES", True, False),
        (b"CREATE TABLE t (a UInt8) ENGINE = Memory", False, False),
        (b"INSERT INTO t SELECT 1", False, False),
    ],
)
def test_kind(text: bytes, returns_rows: bool, streams: bool) -> None:
    """Rows stream from a SELECT, unless totals follow them."""
    statement = read_statement(text, FORMATS)
    assert (statement.returns_rows, statement.streams) == (returns_rows, streams)


def test_second_statement_is_refused() -> None:
    """As ClickHouse does over HTTP; a last semicolon is fine."""
    assert read_statement(b"SELECT 1;; -- done", FORMATS).returns_rows
    for text in (b"SELECT ';'; DROP TABLE t", b"INSERT INTO t SELECT 1; DROP TABLE t"):
        with pytest.raises(StatementError, match="Multi-statements") as caught:
            read_statement(text, FORMATS)
        assert caught.value.code == 62
