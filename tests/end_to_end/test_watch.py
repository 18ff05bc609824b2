"""A worker watches over the system itself: silence raises an alert, canaries come through."""

from __future__ import annotations

import pytest

from auditstream.alerts.health import CANARY
from tests.end_to_end.conftest import NewSystem
from tests.stack.poll import eventually

pytestmark = pytest.mark.timeout(240)


def test_silence_and_canaries(new_system: NewSystem) -> None:
    """Canaries become rows; they are no events that would break the silence."""
    system = new_system(canary_seconds=0.5, health_seconds=0.5, silent_seconds=2.0)
    worker = system.worker()
    eventually(lambda: system.count() >= 2, within=60, what="two canaries in the table")
    assert system.ask("SELECT DISTINCT source_service FROM events") == [(CANARY,)]
    eventually(lambda: system.count("alerts") >= 1, within=60, what="the alert of silence")
    rules = system.ask("SELECT DISTINCT rule_id FROM alerts")
    assert rules == [("health_no_events",)]
    assert worker.stop(within=30) == 0
