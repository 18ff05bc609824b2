"""A broker of its own for the tests of this package."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from auditstream.alerts.topics import ensure_topics
from auditstream.embedded import Broker
from auditstream.settings import Settings, load_settings


@pytest.fixture(scope="package")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker for the package; use topics of your own."""
    with Broker(log_path=tmp_path_factory.mktemp("broker") / "broker.log") as running:
        yield running


@pytest.fixture
def settings(broker: Broker, request: pytest.FixtureRequest) -> Settings:
    """Settings that reach the broker, with the three topics made under names of this test."""
    name = request.node.name.replace("[", "-").replace("]", "")
    settings = load_settings(
        kafka_brokers=broker.bootstrap,
        events_topic=f"{name}.events",
        alerts_topic=f"{name}.alerts",
        rejected_topic=f"{name}.rejected",
        notifier_group=f"{name}.notifier",
        session_timeout_seconds=6.0,
    )
    ensure_topics(settings, partitions=3)
    return settings
