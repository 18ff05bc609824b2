"""Alert ids: the same for the same thing, whatever the batches were."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from auditstream.contract.alert import alert_id

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_same_window_same_id() -> None:
    """Two moments of one window give one id."""
    first = alert_id("rule", "w-1/m-1", NOON, HOUR)
    assert first == alert_id("rule", "w-1/m-1", NOON + timedelta(minutes=59), HOUR)
    assert UUID(first).version == 5


def test_what_makes_another_alert() -> None:
    """Another rule, group key or window is another alert."""
    ids = {
        alert_id("rule", "w-1/m-1", NOON, HOUR),
        alert_id("other", "w-1/m-1", NOON, HOUR),
        alert_id("rule", "w-1/m-2", NOON, HOUR),
        alert_id("rule", "w-1/m-1", NOON + HOUR, HOUR),
    }
    assert len(ids) == 4


def test_no_window() -> None:
    """Without a window a group key has one alert for ever."""
    zero = timedelta(0)
    assert alert_id("rule", "k", NOON, zero) == alert_id("rule", "k", NOON + 99 * HOUR, zero)
