from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import polars as pl
import pytest

from auditstream.contract.catalogue import shipped_catalogue
from auditstream.pipeline.look_up import ROLE_SCHEMA
from auditstream.pipeline.pipeline import Pipeline
from auditstream.pipeline.records import Processed, Records
from auditstream.rules.load import load_rules
from auditstream.store.columns import PAYLOAD_SCHEMA
from auditstream.story import Story
from auditstream.story.malformed import KINDS, encode

NOW = datetime(2026, 3, 18, 15, 30, tzinfo=UTC)
SOURCE = {"service": "test", "epoch": 1}


class NoHistory:
    """Nothing was stored before."""

    def events_by_id(self, event_ids: pl.Series, id_minutes: pl.Series) -> pl.DataFrame:
        """Return no events."""
        return pl.DataFrame(schema=PAYLOAD_SCHEMA)

    def roles(self, keys: pl.DataFrame) -> pl.DataFrame:
        """Return no roles."""
        return pl.DataFrame(schema=ROLE_SCHEMA)


def processed(story: Story) -> Processed:
    """Run a whole story through the pipeline as one fetch."""
    datums = [entry.datum for entry in story.entries()]
    values: list[bytes | None] = [
        encode({**datum, "source": SOURCE | {"sequence": number}})
        for number, datum in enumerate(datums, start=1)
    ]
    keys: list[bytes | None] = [datum["workspace_id"].encode() for datum in datums]
    malformed = list(story.malformed())
    values += [record.value for record in malformed]
    keys += [record.key for record in malformed]
    count = len(values)
    records = Records("c/t/i", "t", [0] * count, list(range(count)), [0] * count, keys, values)
    pipeline = Pipeline(shipped_catalogue(), load_rules().rules, clock=lambda: NOW)
    return pipeline.process(records, NoHistory())


@pytest.mark.parametrize(("seed", "events"), [(7, 2_000), (8, 300), (9, 12_000)])
def test_story_becomes_what_it_says(seed: int, events: int) -> None:
    """Stored, rejected, repeated and alerted are what the story expects."""
    story = Story(seed, events, NOW)
    found, expected = processed(story), story.expected()
    assert found.events.height == expected.stored
    assert found.rejects.height == expected.rejected
    assert found.duplicates == expected.duplicates
    urgent = [alert for alert in found.alerts if alert.level in ("high", "critical")]
    assert len(urgent) == expected.alerts


def test_each_damage_is_rejected_for_its_reason() -> None:
    """The reason a damaged record is made for is the one it is rejected for."""
    rejects = processed(Story(7, 2_000, NOW)).rejects
    reasons = Counter(rejects["reason"].to_list())
    assert reasons == dict.fromkeys(KINDS, 1) | {"event_id_conflict": 1}


def test_history_supplies_the_previous_roles_left_out() -> None:
    """Where the story leaves a previous role to the history, the right one is found."""
    story = Story(7, 4_000, NOW)
    events = processed(story).events
    found = events.filter(pl.col("previous_role_origin") == "history")
    assert found.height > 50
    access = events.filter(pl.col("action") == "connection_member_access_changed")
    assert access["previous_role"].null_count() == 0
