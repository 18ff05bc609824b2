"""A database of its own for each test, on the embedded ClickHouse and on a real server."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from auditstream.embedded import ClickHouse
from auditstream.settings import load_settings
from auditstream.store.connection import Store, connect
from auditstream.store.migrate import migrate
from tests.stack.clickhouse import ClickHouseServer
from tests.store.proxy import Proxy

BOUND_SECONDS = 2.0

NewStore = Callable[..., Store]
NewProxy = Callable[[], Proxy]

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def embedded_clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouse]:
    """One embedded ClickHouse for the session: use a database of your own."""
    directory = tmp_path_factory.mktemp("embedded")
    with ClickHouse(directory / "data", log_path=directory / "log") as server:
        yield server


@pytest.fixture(params=["embedded", pytest.param("server", marks=pytest.mark.real)])
def url(request: pytest.FixtureRequest) -> str:
    """The address of a ClickHouse, embedded and real in turn."""
    fixture = "embedded_clickhouse" if request.param == "embedded" else "clickhouse_server"
    server: ClickHouse | ClickHouseServer = request.getfixturevalue(fixture)
    return server.url


@pytest.fixture
def database(url: str) -> Iterator[str]:
    """The name of a database that the test has for itself and need not exist."""
    name = f"audit_{next(_numbers)}"
    yield name
    with store_at(url, name) as store:
        store.command(f"DROP DATABASE IF EXISTS {name} SYNC")


@pytest.fixture
def store(url: str, database: str) -> Iterator[Store]:
    """A store with all tables, empty."""
    with store_at(url, database) as store:
        migrate(store, 0)
        yield store


@pytest.fixture
def new_store(database: str) -> Iterator[NewStore]:
    """A function that connects to the test's database through another address."""
    with ExitStack() as stores:

        def new(url: str, bound: float = BOUND_SECONDS) -> Store:
            return stores.enter_context(store_at(url, database, bound))

        yield new


@pytest.fixture
def new_proxy(url: str) -> Iterator[NewProxy]:
    """A function that starts a proxy in front of the ClickHouse."""
    with ExitStack() as proxies:
        yield lambda: proxies.enter_context(Proxy(urlsplit(url).port or 0))


def store_at(url: str, database: str, bound: float = BOUND_SECONDS) -> Store:
    """Return a store at an address, whose appends are bounded by `bound` seconds."""
    return connect(
        load_settings(
            clickhouse_url=url, clickhouse_database=database, append_timeout_seconds=bound
        )
    )
