"""One embedded ClickHouse for each test module that asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client

from auditstream.embedded import ClickHouse
from tests.embedded.http_client import Http


@dataclass(frozen=True)
class Running:
    """A running ClickHouse and a table `t` of it that the test has for itself."""

    server: ClickHouse
    client: Client
    http: Http


def connect(server: ClickHouse) -> Client:
    """Return a client that, as the project's own, keeps no session."""
    return clickhouse_connect.get_client(
        interface="http", host="127.0.0.1", port=server.port, autogenerate_session_id=False
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouse]:
    directory: Path = tmp_path_factory.mktemp("clickhouse")
    with ClickHouse(directory / "data", log_path=directory / "log") as server:
        yield server


@pytest.fixture
def running(server: ClickHouse) -> Iterator[Running]:
    client = connect(server)
    client.command("DROP TABLE IF EXISTS t")
    client.command(
        "CREATE TABLE t (n UInt64, text String) ENGINE = MergeTree ORDER BY n"
        " SETTINGS non_replicated_deduplication_window = 100"
    )
    with Http(server.port) as http:
        yield Running(server, client, http)
    client.close()
