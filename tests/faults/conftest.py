"""The systems that faults are tried on: real servers, some for one test alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.system import System
from tests.stack.clickhouse import ClickHouseServer
from tests.stack.fixtures import NewClickHouse
from tests.stack.kafka import KafkaServer


@pytest.fixture
def system(
    kafka_server: KafkaServer, clickhouse_server: ClickHouseServer, tmp_path: Path
) -> Iterator[System]:
    """A system on the session's Kafka and ClickHouse."""
    with System(kafka_server.bootstrap, clickhouse_server.url, tmp_path) as made:
        yield made


@pytest.fixture
def own_clickhouse(new_clickhouse: NewClickHouse) -> ClickHouseServer:
    """A ClickHouse of this test's own, to be killed or stopped."""
    return new_clickhouse()


@pytest.fixture
def fragile(
    kafka_server: KafkaServer, own_clickhouse: ClickHouseServer, tmp_path: Path
) -> Iterator[System]:
    """A system on the session's Kafka and on `own_clickhouse`."""
    with System(kafka_server.bootstrap, own_clickhouse.url, tmp_path) as made:
        yield made


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """The seed of the test's random times, printed; AUDITSTREAM_TEST_SEED sets another."""
    value = int(os.environ.get("AUDITSTREAM_TEST_SEED", "20260518"))
    print(f"{request.node.name}: AUDITSTREAM_TEST_SEED={value}")  # noqa: T201
    return value
