"""The way to ClickHouse: errors, and life without a server."""

from __future__ import annotations

import pytest

from auditstream.errors import ConfigurationError, ServiceUnavailableError, StoreError
from auditstream.settings import load_settings
from auditstream.store.connection import Store, connect
from tests.stack.fixtures import NewClickHouse
from tests.stack.ports import free_port
from tests.store.conftest import store_at


def test_a_server_that_is_away() -> None:
    """Connecting needs no server; a statement tells its address, never the password."""
    url = f"http://ann:topsecret@127.0.0.1:{free_port()}"
    settings = load_settings(clickhouse_url=url, clickhouse_password="hidden")
    with connect(settings) as store:
        for call in (lambda: store.command("SELECT 1"), lambda: store.query_frame("SELECT 1")):
            with pytest.raises(ServiceUnavailableError) as told:
                call()
            assert f"http://127.0.0.1:{settings.clickhouse_url[-5:]}" in str(told.value)
            assert "refused" in str(told.value)
            assert "topsecret" not in repr(told.value)
            assert "hidden" not in repr(told.value)


@pytest.mark.parametrize("url", ["127.0.0.1:8123", "tcp://127.0.0.1:9000", "http://"])
def test_an_address_that_is_none(url: str) -> None:
    """What is no HTTP address is refused at once, by the setting's name."""
    with pytest.raises(ConfigurationError, match="AUDITSTREAM_CLICKHOUSE_URL"):
        connect(load_settings(clickhouse_url=url))


def test_a_refused_statement(store: Store) -> None:
    """The server's own words and code are told."""
    with pytest.raises(StoreError, match=r"^Code: 60\. DB::Exception: .*UNKNOWN_TABLE") as told:
        store.query_frame("SELECT * FROM nowhere")
    assert told.value.code == 60


def test_parameters(store: Store) -> None:
    """Parameters are values, whatever they hold."""
    value = "'; DROP TABLE x; \\ \u00e9"
    found = store.query_frame("SELECT {x:String} AS x, {n:Int32} AS n", {"x": value, "n": 3})
    assert found.rows() == [(value, 3)]


def test_no_rows(store: Store) -> None:
    """A result without rows keeps its columns."""
    assert store.query_frame("SELECT 1 AS n, 'x' AS text WHERE 0").columns == ["n", "text"]


def test_a_closed_store_opens_again(store: Store) -> None:
    """After `close` a statement works as before."""
    store.close()
    assert store.query_frame("SELECT 1 AS n").item() == 1


@pytest.mark.real
def test_a_server_that_comes_back(new_clickhouse: NewClickHouse) -> None:
    """A store made while the server is away works once it is there, and over its restarts."""
    server = new_clickhouse()
    with store_at(server.url, "audit") as store:
        server.kill()
        with pytest.raises(ServiceUnavailableError):
            store.query_frame("SELECT 1")
        server.start()
        assert store.query_frame("SELECT 1 AS n").item() == 1
        server.kill()
        with pytest.raises(ServiceUnavailableError):
            store.query_frame("SELECT 1")
        server.start()
        assert store.query_frame("SELECT 1 AS n").item() == 1
