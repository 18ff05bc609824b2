from __future__ import annotations

import io
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode

import clickhouse_connect
import pyarrow as pa
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from tests.embedded.conftest import Running
from tests.embedded.http_client import Http
from tests.stack.poll import eventually

APPEND = (
    "INSERT INTO t (n, text) SELECT n, text FROM input('n UInt64, text String')"
    " WHERE throwIf((SELECT max(n) FROM t) != {expected}, 'watermark moved') = 0"
    " FORMAT ArrowStream"
)
ONE_PART = {
    "async_insert": 0,
    "max_block_size": 1_000_000,
    "min_insert_block_size_rows": 1_000_000,
    "min_insert_block_size_bytes": 1 << 30,
    "max_insert_threads": 1,
}


def arrow(first: int, rows: int, batches: int = 1) -> bytes:
    """An Arrow stream of rows numbered from `first`."""
    numbers = pa.array(range(first, first + rows), pa.uint64())
    table = pa.table({"n": numbers, "text": ["x" * 100] * rows})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=rows // batches)
    return sink.getvalue()


def append(running: Running, expected: int, body: bytes, token: str) -> None:
    """Compare-and-append as the store does it."""
    settings = {**ONE_PART, "insert_deduplication_token": token}
    running.client.command(APPEND.format(expected=expected), data=body, settings=settings)


def stored(running: Running) -> int:
    """How many rows the table has."""
    count = running.client.command("SELECT count() FROM t")
    assert isinstance(count, int)
    return count


def bodies(running: Running) -> list[Path]:
    """The files of bodies on disk now."""
    return list((running.server.path / "scratch").iterdir())


@pytest.fixture(autouse=True)
def no_body_is_left(running: Running) -> Iterator[None]:
    """After whatever happened, no body stays on disk."""
    yield
    eventually(lambda: not bodies(running), within=5, what="an empty directory of bodies")


def test_append_is_one_part(running: Running) -> None:
    """200,000 rows in four Arrow batches land as one part: all or nothing."""
    append(running, 0, arrow(1, 200_000, batches=4), "a")
    parts = "SELECT rows FROM system.parts WHERE table = 't' AND active"
    assert running.client.query(parts).result_rows == [(200_000,)]


def test_guard_refuses_a_stale_writer(running: Running) -> None:
    """An append made for another watermark fails with code 395 and leaves nothing."""
    append(running, 0, arrow(1, 1_000), "a")
    with pytest.raises(DatabaseError, match="watermark moved") as caught:
        append(running, 0, arrow(1_001, 1_000), "b")
    assert caught.value.code == 395
    assert stored(running) == 1_000


def test_one_token_lands_once(running: Running) -> None:
    """Of two appends under one token the second answers like the first and is dropped."""
    append(running, 0, arrow(1, 1_000), "a")
    append(running, 1_000, arrow(5_000, 1_000), "a")
    assert stored(running) == 1_000
    append(running, 1_000, arrow(5_000, 1_000), "b")
    assert stored(running) == 2_000


def test_one_token_lands_once_without_a_select(running: Running) -> None:
    """A plain INSERT with data honours its token too."""
    for body in (b"1,a\n", b"2,b\n"):
        query = "INSERT INTO t FORMAT CSV"
        assert running.http.ask(body, query=query, insert_deduplication_token="a").status == 200
    assert running.client.query("SELECT * FROM t").result_rows == [(1, "a")]


def test_of_two_at_once_one_lands(running: Running) -> None:
    """Appends that follow the same watermark carry the same token, so only one of them lands."""

    def race(expected: int) -> None:
        body = arrow(expected + 1, 100)
        with Http(running.server.port) as http:
            query = APPEND.format(expected=expected)
            token = f"after {expected}"
            answer = http.ask(
                body, query=query, insert_deduplication_token=token, max_insert_threads=1
            )
            assert answer.code in (None, 395)

    with ThreadPoolExecutor(3) as threads:
        for number in range(25):
            list(threads.map(race, [number * 100] * 3))
    assert running.http.ask(b"SELECT count(), max(n) FROM t").content == b"2500\t2500\n"


@pytest.mark.parametrize(
    "body",
    [arrow(1, 1_000)[:500], arrow(1, 1_000)[:-4], b"", b"not arrow at all" * 100],
    ids=["cut", "cut at the end", "empty", "garbage"],
)
def test_broken_body_is_refused(running: Running, body: bytes) -> None:
    """Nothing of it lands, and its token stays free."""
    parameters = {**ONE_PART, "insert_deduplication_token": "a"}
    path = "/?" + urlencode({**parameters, "query": APPEND.format(expected=0)})
    answer = running.http.ask(body, path=path)
    assert answer.status in (400, 500)
    assert answer.code in (33, 117)
    assert stored(running) == 0
    append(running, 0, arrow(1, 1_000), "a")
    assert stored(running) == 1_000


def start_insert(running: Running, settings: str = "") -> socket.socket:
    """Send an INSERT of two rows whose body is announced longer than that."""
    client = socket.create_connection(("127.0.0.1", running.server.port), timeout=10)
    client.sendall(
        f"POST /?query=INSERT+INTO+t+FORMAT+CSV{settings} HTTP/1.1\r\nHost: localhost\r\n"
        "Content-Length: 1000\r\n\r\n1,a\n2,b\n".encode()
    )
    eventually(lambda: bodies(running), within=5, what="the body on disk")
    return client


def test_client_that_goes_away_inserts_nothing(running: Running) -> None:
    """Half a body is no statement, even if what came of it could be read."""
    start_insert(running).close()
    eventually(lambda: not bodies(running), within=5, what="the end of the request")
    assert stored(running) == 0


def test_time_limit_ends_a_late_body(running: Running) -> None:
    """Code 159, and nothing lands: no append stays undecided for longer than its limit."""
    with start_insert(running, "&max_execution_time=0.3") as client:
        answer = client.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"X-ClickHouse-Exception-Code: 159" in answer
    assert stored(running) == 0


@pytest.mark.parametrize("compression", ["gzip", "lz4", "zstd", None])
def test_compressed_inserts(running: Running, compression: str | None) -> None:
    """Statement and data in one compressed body, as the client sends them."""
    client = clickhouse_connect.get_client(
        host="127.0.0.1", port=running.server.port, compress=compression or False
    )
    with client:
        client.insert("t", [[number, "x"] for number in range(5_000)], column_names=["n", "text"])
    assert stored(running) == 5_000


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("", b'INSERT INTO t (n, text) FORMAT CSV\n1,a\n2,"b"\n'),
        ("INSERT INTO t (n, text) FORMAT CSV", b"1,a\n2,b\n"),
        ("INSERT INTO t SETTINGS async_insert = 0 FORMAT CSV", b"1,a\n2,b\n"),
        ("INSERT INTO t FORMAT JSONEachRow", b'{"n": 1, "text": "a"}\n{"n": 2, "text": "b"}\n'),
        ("INSERT INTO t (n, text) VALUES", b"(1, 'a'), (2, 'b')"),
        ("INSERT INTO t (n, text) FORMAT Values (1, 'a'),", b"(2, 'b')"),
        ("INSERT INTO t SELECT n, x FROM input('n Int8, x String') FORMAT CSV", b"1,a\n2,b\n"),
        ("INSERT INTO {table:Identifier} FORMAT CSV", b"1,a\n2,b\n"),
        ("INSERT INTO t SELECT number + 1, char(97 + number) FROM numbers(2)", b""),
    ],
)
def test_places_of_data(running: Running, query: str, body: bytes) -> None:
    """An INSERT may hold its data itself, or be followed by it, in address and body."""
    answer = running.http.ask(body, query=query, param_table="t")
    assert answer.status == 200, answer.content
    rows = running.client.query("SELECT * FROM t ORDER BY n").result_rows
    assert rows == [(1, "a"), (2, "b")]


def test_statement_text_within_a_literal(running: Running) -> None:
    """What looks like a data source within a string is stored as it is."""
    text = "FROM input('a UInt8') FORMAT Native"
    literal = text.replace("'", "\\'")
    answer = running.http.ask(f"INSERT INTO t VALUES (1, '{literal}')".encode())
    assert answer.status == 200, answer.content
    body = f'1,"{text}"\n'.encode()
    insert = f"INSERT INTO t SELECT n, '{literal}' FROM input('n Int8, x String') FORMAT CSV"
    running.http.ask(body, query=insert)
    assert running.client.query("SELECT text FROM t").result_rows == [(text,), (text,)]


def test_large_body(running: Running) -> None:
    """A body of 100 MB goes in."""
    body = arrow(1, 900_000, batches=9)
    assert len(body) > 95_000_000
    append(running, 0, body, "a")
    assert stored(running) == 900_000


def test_long_statement(running: Running) -> None:
    """Rows as text are no data apart from the statement, however many they are."""
    rows = ", ".join(f"({number}, 'FORMAT Native')" for number in range(100_000))
    answer = running.http.ask(f"INSERT INTO t VALUES {rows}".encode())
    assert answer.status == 200, answer.content
    assert stored(running) == 100_000
