"""The time within an event id."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest

from auditstream.pipeline.event_id import event_id_minute
from tests.pipeline.events import NOW, uuid7

OCCURRED = datetime(2025, 5, 6, 7, 8, 59, 999_999, tzinfo=UTC)
ITS_MINUTE = datetime(2025, 5, 6, 7, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("event_id", "minute"),
    [
        (uuid7(1), NOW),
        (uuid7(1, datetime(2024, 2, 29, 23, 59, 59, 999_000, tzinfo=UTC)),
         datetime(2024, 2, 29, 23, 59, tzinfo=UTC)),
        ("5b6a4f86-30a4-4a53-8a37-0f5f6a1d2c3b", ITS_MINUTE),
        (uuid7(1).replace("-7", "-4", 1), ITS_MINUTE),
        ("ffffffff-ffff-7fff-bfff-ffffffffffff", ITS_MINUTE),
        ("00000000-0000-7000-8000-000000000000", ITS_MINUTE),
    ],
    ids=["version 7", "end of a minute", "version 4", "version 4 of now", "year 10889", "1970"],
)  # fmt: skip
def test_minute(event_id: str, minute: datetime) -> None:
    """The minute is that of a version 7 id, elsewhere that of the event."""
    frame = pl.DataFrame(
        {"event_id": [event_id], "occurred_at": [OCCURRED]},
        schema_overrides={"occurred_at": pl.Datetime("us", "UTC")},
    )
    assert frame.select(event_id_minute()).item() == minute
