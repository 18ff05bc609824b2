"""A broker of its own for the tests of this package."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from auditstream.alerts.topics import ensure_topics
from auditstream.embedded import Broker, ClickHouse
from auditstream.embedded.ports import free_port
from auditstream.settings import Settings, load_settings
from auditstream.store.connection import Store, connect
from auditstream.store.migrate import migrate

_numbers = itertools.count(1)


@pytest.fixture(scope="package")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker for the package; use topics of your own."""
    with Broker(log_path=tmp_path_factory.mktemp("broker") / "broker.log") as running:
        yield running


@pytest.fixture(scope="package")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouse]:
    """A ClickHouse for the package; use a database of your own."""
    directory = tmp_path_factory.mktemp("clickhouse")
    with ClickHouse(directory / "data", log_path=directory / "log") as running:
        yield running


@pytest.fixture
def store(clickhouse: ClickHouse) -> Iterator[Store]:
    """The tables, empty, in a database of this test."""
    name = f"audit_{next(_numbers)}"
    settings = load_settings(
        clickhouse_url=clickhouse.url, clickhouse_database=name, append_timeout_seconds=2.0
    )
    with connect(settings) as store:
        migrate(store, 0)
        yield store
        store.command(f"DROP DATABASE {name} SYNC")


@pytest.fixture
def settings(broker: Broker, request: pytest.FixtureRequest) -> Settings:
    """Settings that reach the broker, with the three topics made under names of this test.

    ClickHouse is where nothing answers, unless the test takes `store` as well.
    """
    name = request.node.name.replace("[", "-").replace("]", "")
    places: dict[str, object] = {"clickhouse_url": f"http://127.0.0.1:{free_port()}"}
    if "store" in request.fixturenames:
        store: Store = request.getfixturevalue("store")
        places = {"clickhouse_url": store.url, "clickhouse_database": store.database}
    settings = load_settings(
        **places,
        kafka_brokers=broker.bootstrap,
        events_topic=f"{name}.events",
        alerts_topic=f"{name}.alerts",
        rejected_topic=f"{name}.rejected",
        notifier_group=f"{name}.notifier",
        session_timeout_seconds=6.0,
    )
    ensure_topics(settings, partitions=3)
    return settings
