"""The system under test: embedded, and on a real Kafka and ClickHouse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from auditstream.embedded import Broker, ClickHouse
from tests.harness.system import System

NewSystem = Callable[..., System]


@pytest.fixture(params=["embedded", pytest.param("real", marks=pytest.mark.real)])
def new_system(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NewSystem]:
    """A function that makes a system, with settings of the test's choice."""
    with ExitStack() as parts:
        if request.param == "real":
            brokers = request.getfixturevalue("kafka_server").bootstrap
            url = request.getfixturevalue("clickhouse_server").url
        else:
            broker = parts.enter_context(Broker(log_path=tmp_path / "broker.log"))
            clickhouse = ClickHouse(tmp_path / "clickhouse", log_path=tmp_path / "clickhouse.log")
            brokers, url = broker.bootstrap, parts.enter_context(clickhouse).url

        def make(**settings: object) -> System:
            return parts.enter_context(System(brokers, url, tmp_path, **settings))

        yield make
