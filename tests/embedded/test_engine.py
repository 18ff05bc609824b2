from __future__ import annotations

import http.client
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import pytest

from tests.embedded.conftest import Running
from tests.embedded.http_client import Http
from tests.stack.poll import eventually

# It does not count itself.
COUNTING = b"SELECT count() FROM system.processes WHERE query LIKE concat('%system.num', 'bers%')"


def changed_settings(http: Http) -> bytes:
    """The settings that differ from the defaults in this request."""
    statement = "SELECT name, value FROM system.settings WHERE changed ORDER BY name"
    return http.ask(statement.encode()).content


def test_settings_hold_for_one_request(running: Running) -> None:
    """Neither settings, nor database, nor parameters, nor SET leak into another request."""
    before = changed_settings(running.http)
    statement = b"SELECT getSetting('max_threads'), currentDatabase(), {a:String}"
    answer = running.http.ask(statement, max_threads=7, database="system", param_a="x")
    assert answer.content == b"7\tsystem\tx\n"
    running.http.ask(b"SET max_threads = 9")
    running.http.ask(b"USE system")
    running.http.ask(b"SELECT throwIf(1)", max_threads=11)
    running.http.ask(method="GET", query="SELECT 1", max_block_size=1)
    assert changed_settings(running.http) == before
    assert running.http.ask(b"SELECT currentDatabase()").content == b"default\n"
    assert running.http.ask(statement, max_threads=7).code == 456


def test_settings_of_requests_at_once(running: Running) -> None:
    """Each of many requests under way sees its own settings only."""

    def ask(number: int) -> bytes:
        with Http(running.server.port) as http:
            statement = b"SELECT getSetting('max_threads') + sleep(0.05)"
            return http.ask(statement, max_threads=number).content

    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(ask, range(1, 65)))
    assert answers == [b"%d\n" % number for number in range(1, 65)]


@pytest.mark.parametrize("name", ["no_such_setting", "max_threads = 1, max_block_size"])
def test_unknown_setting(running: Running, name: str) -> None:
    """A name is a name: nothing can be smuggled in with it."""
    path = "/?" + urlencode({name: "1"})
    assert running.http.ask(b"SELECT 1", path=path).code == 115


def test_setting_values_are_text(running: Running) -> None:
    """Quotes and backslashes arrive as they are."""
    token = "a'b\\c', max_threads = 9 --"
    statement = b"SELECT getSetting('insert_deduplication_token') = {token:String}"
    answer = running.http.ask(
        statement, insert_deduplication_token=token, param_token="a'b\\\\c', max_threads = 9 --"
    )
    assert answer.content == b"1\n"


def test_parameters_are_bound(running: Running) -> None:
    """Values of parameters are values, never statement text."""
    text = "it's '; DROP TABLE t --\t\n\\ ü"
    rows = running.client.query(
        "SELECT {text:String}, {list:Array(String)}, {number:Int64}, {none:Nullable(String)}",
        parameters={"text": text, "list": ["a'b", "\\"], "number": -1, "none": None},
    ).result_rows
    assert rows == [(text, ["a'b", "\\"], -1, None)]


def test_readers_while_one_writes(running: Running) -> None:
    """Readers in parallel see whole appends only, and never an error."""
    done = threading.Event()

    def read() -> list[int]:
        counts = []
        with Http(running.server.port) as http:
            while not done.is_set():
                counts.append(int(http.ask(b"SELECT count() FROM t").content))
        return counts

    with ThreadPoolExecutor(4) as threads:
        readers = [threads.submit(read) for _ in range(3)]
        try:
            for number in range(40):
                statement = f"INSERT INTO t SELECT number, '' FROM numbers({number * 100}, 100)"
                running.client.command(statement)
        finally:
            done.set()
    for reader in readers:
        counts = reader.result()
        assert counts
        assert counts == sorted(counts)
        assert all(count % 100 == 0 for count in counts)
    assert running.client.command("SELECT count() FROM t") == 4_000


def test_long_statement_blocks_nobody(running: Running) -> None:
    """Others read and write while one statement takes its time; it can be killed."""

    def count_for_ever() -> int | None:
        with Http(running.server.port) as http:
            return http.ask(b"SELECT count() FROM system.numbers", wait_end_of_query=1).code

    with ThreadPoolExecutor(1) as threads:
        long = threads.submit(count_for_ever)
        ask = running.http.ask
        eventually(lambda: ask(COUNTING).content == b"1\n", within=10, what="a long statement")
        ask(b"INSERT INTO t VALUES (1, 'a')")
        assert ask(b"SELECT count() FROM t").content == b"1\n"
        assert not long.done()
        ask(b"KILL QUERY WHERE query LIKE concat('%system.num', 'bers%')")
        assert long.result(10) == 394


def test_streamed_rows_are_whole(running: Running) -> None:
    """Rows that come block by block are the same as all at once, totals included."""
    statement = b"SELECT number, toString(number) FROM numbers(300000) FORMAT "
    for name in (b"TSV", b"CSV", b"JSONEachRow", b"Native", b"RowBinary", b"JSON", b"Parquet"):
        streamed = running.http.ask(statement + name)
        whole = running.http.ask(statement + name, wait_end_of_query=1)
        if name == b"JSON":
            assert b'"rows": 300000' in streamed.content
        elif name == b"Native":
            assert len(streamed.content) > 300_000 * 8
        else:
            assert streamed.content == whole.content
    totals = b"SELECT number % 2 AS k, count() FROM numbers(9) GROUP BY k WITH TOTALS ORDER BY k"
    assert running.http.ask(totals).content == b"0\t5\n1\t4\n\n0\t9\n"


def test_abandoned_rows_end_their_statement(running: Running) -> None:
    """A reader that goes away stops the statement it was reading."""
    connection = http.client.HTTPConnection("127.0.0.1", running.server.port, timeout=30)
    connection.request("POST", "/", body=b"SELECT number FROM system.numbers")
    assert connection.getresponse().read(10) == b"0\n1\n2\n3\n4\n"
    connection.close()
    eventually(lambda: running.http.ask(COUNTING).content == b"0\n", within=10, what="its end")
