from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from auditstream.story.clock import LAST, moments
from auditstream.story.dice import dice


@pytest.mark.parametrize("hour", range(0, 24, 5))
@pytest.mark.parametrize("day", range(1, 8))
def test_moments_ascend_and_end_before_now(day: int, hour: int) -> None:
    """On whatever day and hour it is told, the story is ordered and over."""
    now = datetime(2026, 3, day, hour, 7, tzinfo=UTC)
    found = moments(dice(day, hour), 500, now)
    assert found == sorted(found)
    assert now - timedelta(days=8) < found[0]
    assert found[-1] <= now - LAST
