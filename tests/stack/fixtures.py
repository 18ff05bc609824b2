"""Pytest fixtures: real servers, for the session or for one test.

A machine that cannot have them skips the test with the reason, but fails it where CI=true.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.stack.clickhouse import ClickHouseServer
from tests.stack.errors import PrerequisiteError
from tests.stack.kafka import KafkaServer

NewKafka = Callable[[], KafkaServer]
NewClickHouse = Callable[[], ClickHouseServer]
NewClickHouseWith = Callable[[Path, Mapping[str, str]], ClickHouseServer]


@pytest.fixture(scope="session")
def kafka_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """One Apache Kafka for the session: leave it running, and use topics and groups of your own."""
    with ExitStack() as servers, _prerequisites():
        yield servers.enter_context(KafkaServer(tmp_path_factory.mktemp("kafka")))


@pytest.fixture(scope="session")
def clickhouse_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    """One ClickHouse for the session: leave it running, and use a database of your own."""
    with ExitStack() as servers, _prerequisites():
        yield servers.enter_context(ClickHouseServer(tmp_path_factory.mktemp("clickhouse")))


@pytest.fixture
def new_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewKafka]:
    """A function that starts an Apache Kafka for this test alone, to be killed or paused."""
    with ExitStack() as servers:

        def start() -> KafkaServer:
            with _prerequisites():
                return servers.enter_context(KafkaServer(tmp_path_factory.mktemp("kafka")))

        yield start


@pytest.fixture
def new_clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewClickHouse]:
    """A function that starts a ClickHouse for this test alone, to be killed or paused."""
    with ExitStack() as servers:

        def start() -> ClickHouseServer:
            with _prerequisites():
                directory = tmp_path_factory.mktemp("clickhouse")
                return servers.enter_context(ClickHouseServer(directory))

        yield start


@pytest.fixture(scope="module")
def clickhouse_with_users(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[NewClickHouseWith]:
    """A function that starts a ClickHouse for the module, with a folder of users and variables."""
    with ExitStack() as servers, _prerequisites():

        def start(users: Path, environment: Mapping[str, str]) -> ClickHouseServer:
            directory = tmp_path_factory.mktemp("clickhouse")
            return servers.enter_context(ClickHouseServer(directory, users, environment))

        yield start


@contextmanager
def _prerequisites() -> Iterator[None]:
    try:
        yield
    except PrerequisiteError as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(f"required where CI=true: {missing}", pytrace=False)
        pytest.skip(str(missing))
