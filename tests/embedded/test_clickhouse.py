from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from auditstream.embedded import ClickHouse
from auditstream.errors import ServiceUnavailableError
from tests.embedded.conftest import connect
from tests.embedded.http_client import Http
from tests.stack.poll import eventually

TABLE = "CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n"


@pytest.fixture
def clickhouse(tmp_path: Path) -> Iterator[ClickHouse]:
    clickhouse = ClickHouse(
        tmp_path / "it's a=b&c [data]", log_path=tmp_path / "logs" / "clickhouse"
    )
    clickhouse.start()
    yield clickhouse
    clickhouse.kill()


def ask(clickhouse: ClickHouse, statement: str) -> bytes:
    """The answer to one statement on a connection of its own."""
    with Http(clickhouse.port) as http:
        answer = http.ask(statement.encode())
        assert answer.status == 200, answer.content
        return answer.content


def test_rows_survive_stop_and_start(clickhouse: ClickHouse) -> None:
    """A clean end is quick and has exit code 0; the port and address stay."""
    url = clickhouse.url
    ask(clickhouse, TABLE)
    ask(clickhouse, "INSERT INTO t FORMAT CSV\n" + "\n".join(map(str, range(1000))))
    with connect(clickhouse) as idle:
        assert idle.command("SELECT 1") == 1
        clickhouse.stop()
    assert clickhouse.pid is None
    clickhouse.start()
    assert clickhouse.url == url
    assert ask(clickhouse, "SELECT count() FROM t") == b"1000\n"


def test_rows_survive_sigkill(clickhouse: ClickHouse) -> None:
    """Every answered insert is there after a SIGKILL, and no half-sent body is."""
    ask(clickhouse, TABLE)
    for number in range(20):
        ask(clickhouse, f"INSERT INTO t SELECT number + {number * 100} FROM numbers(100)")
    with socket.create_connection(("127.0.0.1", clickhouse.port), timeout=10) as client:
        client.sendall(
            b"POST /?query=INSERT+INTO+t+FORMAT+CSV HTTP/1.1\r\nContent-Length: 99\r\n\r\n1\n"
        )
        scratch = clickhouse.path / "scratch"
        eventually(lambda: list(scratch.iterdir()), within=5, what="the body on disk")
        clickhouse.kill()
    clickhouse.start()
    assert ask(clickhouse, "SELECT count(), uniqExact(n) FROM t") == b"2000\t2000\n"
    assert not list(scratch.iterdir())


def test_stop_waits_for_statements(clickhouse: ClickHouse) -> None:
    """What is under way is answered, what comes later refused; a new start finds the rows."""
    ask(clickhouse, TABLE)
    slow = "INSERT INTO t SELECT number + sleepEachRow(0.1) FROM numbers(20)"
    counting = "SELECT count() FROM system.processes WHERE query LIKE 'INSERT%'"
    with Http(clickhouse.port) as late, ThreadPoolExecutor(2) as threads:
        assert late.ask(b"SELECT 1").status == 200
        insert = threads.submit(ask, clickhouse, slow)
        eventually(lambda: ask(clickhouse, counting) == b"1\n", within=10, what="the insert")
        stop = threads.submit(clickhouse.stop)
        eventually(lambda: late.ask(b"SELECT 1").code == 236, within=10, what="a refusal")
        assert insert.result() == b""
        stop.result()
    assert clickhouse.pid is None
    clickhouse.start()
    assert ask(clickhouse, "SELECT count() FROM t") == b"20\n"


def test_ctrl_c_of_the_terminal_is_not_for_it(clickhouse: ClickHouse) -> None:
    """The process that started it decides when it ends."""
    assert clickhouse.pid is not None
    os.kill(clickhouse.pid, signal.SIGINT)
    assert ask(clickhouse, "SELECT 1") == b"1\n"
    assert os.getsid(clickhouse.pid) != os.getsid(0)


def test_taken_directory(clickhouse: ClickHouse, tmp_path: Path) -> None:
    """Two processes never open one directory; the second says so."""
    second = ClickHouse(clickhouse.path, log_path=tmp_path / "second")
    with pytest.raises(ServiceUnavailableError, match="another process uses the data"):
        second.start()
    assert second.pid is None
    assert ask(clickhouse, "SELECT 1") == b"1\n"


def test_directory_of_a_process_about_to_end(clickhouse: ClickHouse, tmp_path: Path) -> None:
    """A successor waits for its predecessor."""
    ask(clickhouse, TABLE)
    second = ClickHouse(clickhouse.path, log_path=tmp_path / "second")
    with ThreadPoolExecutor(1) as threads:
        start = threads.submit(second.start)
        eventually(lambda: second.pid, within=10, what="the successor's process")
        clickhouse.stop()
        start.result()
    assert ask(second, "SELECT count() FROM t") == b"0\n"
    second.stop()


def test_foreign_config_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clickhouse: ClickHouse
) -> None:
    """Neither a configuration nor a module of the current directory gets in."""
    clickhouse.stop()
    (tmp_path / "config.xml").write_text("<nonsense>")
    (tmp_path / "chdb.py").write_text("raise SystemExit('not me')")
    monkeypatch.chdir(tmp_path)
    clickhouse.start()
    assert ask(clickhouse, "SELECT 1") == b"1\n"


@pytest.mark.parametrize("name", ["a*", "a?", "{a}"])
def test_directory_that_is_a_pattern(tmp_path: Path, name: str) -> None:
    """ClickHouse would not find the data of an INSERT there, and not say so."""
    clickhouse = ClickHouse(tmp_path / name, log_path=tmp_path / "log")
    with pytest.raises(ServiceUnavailableError, match="the data cannot be in"):
        clickhouse.start()
    assert not clickhouse.path.exists()


def test_it_is_modest(clickhouse: ClickHouse) -> None:
    """Memory and caches are limited, whatever the machine has."""
    limits = dict(
        line.split("\t")
        for line in ask(
            clickhouse,
            "SELECT name, value FROM system.server_settings WHERE name IN"
            " ('max_server_memory_usage', 'mark_cache_size', 'primary_index_cache_size')",
        )
        .decode()
        .splitlines()
    )
    assert int(limits["max_server_memory_usage"]) <= 4 << 30
    assert int(limits["mark_cache_size"]) + int(limits["primary_index_cache_size"]) <= 128 << 20
    assert 0 < int(ask(clickhouse, "SELECT getSetting('max_memory_usage')")) <= 3 << 30
