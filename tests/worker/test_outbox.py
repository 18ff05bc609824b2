"""The outbox: everything is acknowledged, and nothing that cannot be sent stands in the way."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

import polars as pl
import pytest

from auditstream.alerts.records import read_topic
from auditstream.alerts.topic import decode_alert
from auditstream.alerts.topics import ensure_topics
from auditstream.contract.alert import Alert
from auditstream.embedded.broker import Broker
from auditstream.pipeline.rejects import Rejection, reject_frame
from auditstream.settings import Settings
from auditstream.worker.outbox import Outbox
from tests.pipeline.events import NOW, records

MEBIBYTE = 1 << 20


@pytest.fixture
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of a broker of the test's own."""
    with Broker(log_path=tmp_path_factory.mktemp("broker") / "log") as broker:
        name = f"t{uuid4().hex[:8]}"
        made = Settings(
            kafka_brokers=broker.bootstrap,
            events_topic=f"{name}.events",
            alerts_topic=f"{name}.alerts",
            rejected_topic=f"{name}.rejected",
        )
        ensure_topics(made, 1)
        yield made


def rejects(values: list[bytes | None]) -> pl.DataFrame:
    """Rejects of records with these values."""
    given = records(values)
    reasons = [Rejection(row, "not_framed", "", "no frame") for row in range(len(values))]
    return reject_frame(given, reasons, NOW)


def alert(number: int) -> Alert:
    """An alert with an id of its own."""
    return Alert(
        alert_id=f"00000000-0000-5000-8000-{number:012d}",
        rule_id="rule",
        rule_title="Rule",
        rule_hash="hash",
        level="high",
        sentence="somebody did something",
        reason="",
        runbook=None,
        group_key="key",
        workspace_id="w-1",
        workspace_username="acme",
        actor="somebody",
        entity="something",
        action="connection_created",
        occurred_at=datetime(2026, 3, 1, tzinfo=UTC),
        detected_at=datetime(2026, 3, 1, tzinfo=UTC),
        evidence=(),
    )


async def test_alerts_and_rejects_are_acknowledged(settings: Settings) -> None:
    """When it returns, every alert and reject is on its topic."""
    alerts = [alert(number) for number in range(3)]
    await asyncio.wait_for(Outbox(settings).send(alerts, rejects([b"a", None, b"c"])), 30)
    found = list(read_topic(settings, settings.alerts_topic))
    assert [decode_alert(record.value) for record in found] == alerts
    assert len(list(read_topic(settings, settings.rejected_topic))) == 3


async def test_a_reject_too_large_to_send_blocks_nothing(settings: Settings) -> None:
    """A reject that Kafka will never take is left to the table; its neighbours are sent."""
    given = rejects([b"before", bytes(6 * MEBIBYTE), b"after"])
    await asyncio.wait_for(Outbox(settings).send([alert(1)], given), 30)
    assert len(list(read_topic(settings, settings.rejected_topic))) == 2
    assert len(list(read_topic(settings, settings.alerts_topic))) == 1


async def test_strange_times_are_sent(settings: Settings) -> None:
    """A Kafka timestamp beyond what Python can tell is no obstacle."""
    given = rejects([b"x"]).with_columns(
        kafka_timestamp=pl.lit(300_000_000_000_000).cast(pl.Datetime("ms", "UTC"))
    )
    await asyncio.wait_for(Outbox(settings).send([], given), 30)
    assert len(list(read_topic(settings, settings.rejected_topic))) == 1
