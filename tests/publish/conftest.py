"""Fixtures of the SDK's tests."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol, Unpack

import pytest

from auditstream import AuditLog
from auditstream.embedded.broker import Broker
from auditstream.publish.config import SettingsArguments
from tests.publish.topic import create_topic


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.startswith("AUDITSTREAM_") and not name.startswith("AUDITSTREAM_TEST_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def new_broker(tmp_path: Path) -> Iterator[Callable[[], Broker]]:
    """A function that gives a broker which is not started yet."""
    brokers: list[Broker] = []

    def make() -> Broker:
        brokers.append(Broker(log_path=tmp_path / f"broker-{len(brokers)}.log"))
        return brokers[-1]

    yield make
    for broker in brokers:
        broker.kill()


@pytest.fixture
def broker(new_broker: Callable[[], Broker]) -> Broker:
    """A running broker with the topic of events."""
    made = new_broker()
    made.start()
    create_topic(made.bootstrap)
    return made


class NewAuditLog(Protocol):
    """Makes an AuditLog of the service "billing" on the test's spool directory."""

    def __call__(self, brokers: str, **settings: Unpack[SettingsArguments]) -> AuditLog:
        """Return it; it is closed after the test without waiting."""


@pytest.fixture
def new_audit_log(tmp_path: Path) -> Iterator[NewAuditLog]:
    """A function that makes an AuditLog."""
    logs: list[AuditLog] = []

    def make(brokers: str, **settings: Unpack[SettingsArguments]) -> AuditLog:
        given: SettingsArguments = {
            "service": "billing",
            "spool_dir": tmp_path / "spool",
            "kafka_brokers": brokers,
            **settings,
        }
        logs.append(AuditLog(**given))
        return logs[-1]

    yield make
    for log in logs:
        log.close(0)
