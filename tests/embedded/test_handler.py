from __future__ import annotations

import http.client
import json
import subprocess

import clickhouse_connect
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, StreamFailureError

from tests.embedded.conftest import Running


def test_client_as_it_comes(running: Running) -> None:
    """A client with all defaults, compressed inserts and a session id included, just works."""
    with clickhouse_connect.get_client(host="127.0.0.1", port=running.server.port) as client:
        summary = client.insert("t", [[1, "a"], [2, "b"]], column_names=["n", "text"])
        assert summary.written_rows == 2
        assert client.query("SELECT * FROM t ORDER BY n").result_rows == [(1, "a"), (2, "b")]
        assert client.query_arrow("SELECT n FROM t").num_rows == 2
        assert client.command("SELECT count() FROM t") == 2
        assert client.query("SELECT * FROM t WHERE n = 9").result_rows == []
        assert client.query("SELECT * FROM t LIMIT 0").column_names == ("n", "text")
        assert json.loads(client.raw_query("SELECT 1 AS a", fmt="JSON"))["data"] == [{"a": 1}]
        assert client.ping()


def test_summary_tells_what_was_written(running: Running) -> None:
    """An INSERT answers with ClickHouse's counts and no rows."""
    answer = running.http.ask(b"INSERT INTO t SELECT number, '' FROM numbers(10)")
    assert json.loads(answer.headers["x-clickhouse-summary"])["written_rows"] == "10"
    assert (answer.status, answer.content) == (200, b"")
    assert "x-clickhouse-format" not in answer.headers


def test_curl(running: Running) -> None:
    """The one-liner that everybody tries first."""
    command = ["curl", "--silent", "--fail", f"{running.server.url}/?query=SELECT+1"]
    assert subprocess.run(command, capture_output=True, check=True).stdout == b"1\n"


@pytest.mark.parametrize("path", ["/ping", "/"])
def test_ping(running: Running, path: str) -> None:
    """The server says that it is there."""
    answer = running.http.ask(method="GET", path=path)
    assert (answer.status, answer.content) == (200, b"Ok.\n")


def test_other_paths(running: Running) -> None:
    """Only one place takes statements."""
    assert running.http.ask(b"SELECT 1", path="/play").status == 404
    assert running.http.ask(b"SELECT 1").content == b"1\n"


def test_statement_in_address_and_body(running: Running) -> None:
    """The body goes on where the address ends."""
    assert running.http.ask(b"+ 1", query="SELECT 1").content == b"2\n"
    assert running.http.ask(b"SELECT 3", headers={"Content-Type": "text/plain"}).content == b"3\n"
    assert running.http.ask(b"").code == 62


def test_format_and_content_type(running: Running) -> None:
    """The statement's format wins over the parameter, the parameter over the header."""
    header = {"X-ClickHouse-Format": "CSV"}
    answer = running.http.ask(b"SELECT 1, 'a'", headers=header)
    assert answer.content == b'1,"a"\n'
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["x-clickhouse-format"] == "CSV"
    answer = running.http.ask(b"SELECT 1, 'a'", headers=header, default_format="JSONEachRow")
    assert answer.content == b'{"1":1,"\'a\'":"a"}\n'
    answer = running.http.ask(b"SELECT 1 FORMAT JSON", headers=header)
    assert answer.headers["content-type"].startswith("application/json")
    assert json.loads(answer.content)["rows"] == 1
    assert running.http.ask(b"SELECT 1", default_format="dataframe").code == 73


@pytest.mark.parametrize(
    ("statement", "code", "status"),
    [
        ("SELECT * FROM missing", 60, 404),
        ("SELEC 1", 62, 400),
        ("SELECT 1 SETTINGS no_such_setting = 1", 115, 404),
        ("SELECT throwIf(1, 'watermark moved')", 395, 500),
        ("SELECT count() FROM system.numbers SETTINGS max_execution_time = 0.2", 159, 408),
        ("SELECT 1; SELECT 2", 62, 400),
        ("SELECT 1 FORMAT NoSuchFormat;", 73, 404),
        ("INSERT INTO t FORMAT NoSuchFormat\n\x00\x01", 73, 404),
        ("SELECT number FROM numbers(100) SETTINGS max_result_rows = 10", 396, 500),
        ("SELECT 1 INTO OUTFILE 'x'", 358, 500),
    ],
)
def test_errors(running: Running, statement: str, code: int, status: int) -> None:
    """Code, status and words are those of ClickHouse; the connection goes on."""
    answer = running.http.ask(statement.encode(), wait_end_of_query=1)
    assert (answer.code, answer.status) == (code, status)
    assert answer.content.startswith(f"Code: {code}. DB::Exception: ".encode())
    assert running.http.ask(b"SELECT 1").content == b"1\n"


def test_client_sees_the_code(running: Running) -> None:
    """The store matches on codes."""
    with pytest.raises(DatabaseError, match="watermark moved") as caught:
        running.client.command("SELECT throwIf(1, 'watermark moved')")
    assert caught.value.code == 395


def test_error_among_streamed_rows(running: Running) -> None:
    """The answer breaks off, and the client raises the statement's error."""
    statement = "SELECT throwIf(number = 999999, 'broke off') FROM numbers(1000000)"
    with (
        pytest.raises(StreamFailureError, match="broke off") as caught,
        running.client.query_row_block_stream(statement) as blocks,
    ):
        for _ in blocks:
            pass
    assert caught.value.code == 395
    with pytest.raises(http.client.IncompleteRead):
        running.http.ask(statement.encode())


def test_get_only_reads(running: Running) -> None:
    """A link that somebody follows changes nothing."""
    answer = running.http.ask(method="GET", query="INSERT INTO t VALUES (1, '')", max_threads=1)
    assert answer.code == 164
    answer = running.http.ask(method="GET", query="DROP TABLE t", readonly=0)
    assert answer.code == 164
    assert running.http.ask(method="GET", query="SELECT count() FROM t").content == b"0\n"
    answer = running.http.ask(method="GET", query="SELECT count() FROM t FORMAT JSON")
    assert json.loads(answer.content)["rows"] == 1


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://example.com"}, {"Origin": "null"}, {"Host": "rebound.example.com:1234"}],
)
def test_web_pages_are_refused(running: Running, headers: dict[str, str]) -> None:
    """What runs in the user's browser cannot ask, not under a name pointed here either."""
    assert running.http.ask(b"SELECT 1", headers=headers).status == 403
    local = {"Origin": running.server.url, "Host": "localhost"}
    assert running.http.ask(b"SELECT 1", headers=local).content == b"1\n"


def test_credentials_are_ignored(running: Running) -> None:
    """Clients may send what they are configured with."""
    sent = {"Authorization": "Basic YTpi", "X-ClickHouse-User": "a", "X-ClickHouse-Key": "b"}
    assert running.http.ask(b"SELECT 1", headers=sent, user="c").content == b"1\n"


def test_query_id_comes_back(running: Running) -> None:
    """The client's own, or a new one where that would break the header."""
    odd = running.http.ask(b"SELECT 1", query_id="a\r\nX-Odd: 1")
    assert "x-odd" not in odd.headers
    assert len(odd.headers["x-clickhouse-query-id"]) == 36
    assert running.http.ask(b"SELECT 1", query_id="mine").headers["x-clickhouse-query-id"] == "mine"
    assert running.http.ask(b"SELECT 1").headers["x-clickhouse-query-id"]


def test_long_parameters_come_as_a_form(running: Running) -> None:
    """The client sends them so by itself when they do not fit into an address."""
    names = [f"name {number}" for number in range(20_000)]
    rows = running.client.query("SELECT length({a:Array(String)})", parameters={"a": names})
    assert rows.result_rows == [(20_000,)]


def test_old_protocol(running: Running) -> None:
    """A client of HTTP/1.0 gets the rows in one piece, and the end of the connection."""
    connection = http.client.HTTPConnection("127.0.0.1", running.server.port, timeout=30)
    connection._http_vsn, connection._http_vsn_str = 10, "HTTP/1.0"  # type: ignore[attr-defined]
    connection.request("POST", "/", body=b"SELECT number FROM numbers(3)")
    response = connection.getresponse()
    assert response.getheader("Transfer-Encoding") is None
    assert response.read() == b"0\n1\n2\n"
    connection.close()
