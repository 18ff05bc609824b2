"""All steps together."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from auditstream.contract.catalogue import parse_catalogue, shipped_catalogue
from auditstream.contract.resources import resource
from auditstream.errors import ConfigurationError, ContractError, RuleError, StoreError
from auditstream.pipeline.look_up import ENTITY_KEY, subject
from auditstream.pipeline.pipeline import Pipeline
from auditstream.pipeline.records import Processed
from auditstream.rules.load import load_rules
from auditstream.settings import load_settings
from auditstream.store.columns import EVENT_SCHEMA, REJECT_SCHEMA
from tests.pipeline.batches import pipeline
from tests.pipeline.events import NOW, encode, event, records, typical_events, uuid7, valid_event
from tests.pipeline.past import NoPast, Past
from tests.pipeline.strategies import wild_events

encoded = wild_events().map(encode)
values = st.one_of(
    st.none(),
    st.binary(max_size=40),
    encoded,
    st.builds(lambda value, size: value[:size], encoded, st.integers(0, 200)),
)


def counted(result: Processed) -> int:
    return result.events.height + result.rejects.height + result.duplicates


@settings(derandomize=True, deadline=None, max_examples=50)
@given(st.lists(values, max_size=8), st.lists(wild_events().map(encode), max_size=3))
def test_every_record_is_accounted_for(batch: list[bytes | None], stored: list[bytes]) -> None:
    """Rows, rejects and repeats add up to the records, each record is one of them, in order."""
    past = Past(pipeline().process(records(stored), NoPast()).events)
    result = pipeline().process(records([*batch, *stored, *batch]), past)
    assert counted(result) == 2 * len(batch) + len(stored)
    offsets = [*result.events["kafka_offset"], *result.rejects["kafka_offset"]]
    assert len(set(offsets)) == len(offsets)
    assert result.events["kafka_offset"].is_sorted()
    assert result.events["event_id"].is_duplicated().sum() == 0
    assert list(result.events.schema.items()) == list(EVENT_SCHEMA.items())
    assert list(result.rejects.schema.items()) == list(REJECT_SCHEMA.items())


def test_typical_batch() -> None:
    """A batch in the catalogue's proportions is stored whole, every action among it."""
    batch = [encode(item) for item in typical_events(4_000, seed=1)]
    result = pipeline().process(records(batch), NoPast())
    assert result.events.height == 4_000
    assert set(result.events["action"]) == set(shipped_catalogue().actions)
    assert result.events["sentence"].null_count() == 0


def test_batches_do_not_matter() -> None:
    """Events give the same rows and alerts in one batch or in many, with the past in between."""
    events = sorted(typical_events(600, seed=3), key=lambda item: item["occurred_at"])
    batch = [encode(item) for item in events]
    whole = pipeline().process(records(batch), NoPast())
    steps, past, alerts = pipeline(), Past(), set()
    for start in range(0, 600, 100):
        offsets = list(range(100 + start, 200 + start))
        part = steps.process(records(batch[start : start + 100], offsets=offsets), past)
        alerts |= {alert.alert_id for alert in part.alerts}
        past = _later(past, part.events)
    assert_frame_equal(past.events, whole.events)
    assert alerts == {alert.alert_id for alert in whole.alerts}
    assert alerts


def _later(past: Past, events: pl.DataFrame) -> Past:
    removals = [a.name for a in shipped_catalogue().actions.values() if "role" not in a.fields]
    touched = pl.col("role").is_not_null() | pl.col("action").is_in(removals)
    roles = events.filter(pl.col("outcome") == "success", touched).select(
        *ENTITY_KEY,
        *subject(),
        "occurred_at",
        "kafka_offset",
        "role",
    )
    return Past(pl.concat([past.events, events]), pl.concat([past.role_rows, roles]))


def test_replay() -> None:
    """Records processed again over what was stored of them give repeats and nothing else."""
    batch = records([encode(item) for item in typical_events(500, seed=2)])
    first = pipeline().process(batch, NoPast())
    again = pipeline().process(batch, Past(first.events))
    assert (again.events.height, again.rejects.height, again.duplicates) == (0, 0, 500)


def test_repeats_of_different_minutes() -> None:
    """Repeats are found whatever minutes their ids were made in."""
    moments = [NOW - timedelta(minutes=minutes) for minutes in (0, 7, 300)]
    batch = [encode(event(event_id=uuid7(1, moment))) for moment in moments]
    first = pipeline().process(records(batch), NoPast())
    again = pipeline().process(records(batch), Past(first.events))
    assert (first.events.height, again.duplicates) == (3, 3)


def test_another_action() -> None:
    """An action added to the catalogue is stored and described without code."""
    text = resource("actions.yaml").read_text(encoding="utf-8")
    text += """
  dashboard_shared:
    category: workspace_collections
    description: dashboard shared
    entity: {type: workspace_dashboard, argument: dashboard}
    required: [member, role]
    role_scale: collection
    severity: high
    sentence: "{actor} shared dashboard {entity} with {member}[ as {role}]"
    ocsf: {class_uid: 3005, activity_id: 1}
"""
    catalogue = parse_catalogue(text, "test")
    given = records([encode(valid_event(catalogue["dashboard_shared"]))])
    row = pipeline(catalogue).process(given, NoPast()).events.row(0, named=True)
    assert row["sentence"] == "ana shared dashboard Sales with bob as manage"
    assert (row["category"], row["severity"]) == ("workspace_collections", "high")
    assert (row["description"], row["role_rank"]) == ("dashboard shared", 3)


def test_history_is_away() -> None:
    """When the history cannot be read, its error is the caller's; the records may come again."""

    class Away(NoPast):
        def events_by_id(self, event_ids: pl.Series, id_minutes: pl.Series) -> pl.DataFrame:
            raise StoreError("the store is away")

    steps, batch = pipeline(), records([encode(event())])
    with pytest.raises(StoreError):
        steps.process(batch, Away())
    assert steps.process(batch, NoPast()).events.height == 1


def test_no_records() -> None:
    """No records give nothing, in the right columns."""
    result = pipeline().process(records([]), NoPast())
    assert counted(result) == 0
    assert list(result.events.schema.items()) == list(EVENT_SCHEMA.items())
    assert result.alerts == ()


def test_from_settings(tmp_path: Path) -> None:
    """Settings give catalogue, rules, databases and bounds."""
    text = resource("actions.yaml").read_text(encoding="utf-8")
    (tmp_path / "actions.yaml").write_text(text.replace("created group", "made group"))
    (tmp_path / "rules").mkdir()
    settings_ = load_settings(
        catalogue_file=tmp_path / "actions.yaml",
        rules_dir=tmp_path / "rules",
        max_event_bytes=200,
        max_future_seconds=1.0,
        late_seconds=0.5,
    )
    steps = Pipeline.from_settings(settings_)
    batch = [encode(event(number=1)), encode(event(number=2, outcome_reason="x" * 200))]
    result = steps.process(records(batch), NoPast())
    assert result.rejects["reason"].to_list() == ["too_large"]
    assert result.events["sentence"].to_list() == ["ana made group Sales"]
    assert result.events["is_late"].to_list() == [True]


def test_wrong_settings(tmp_path: Path) -> None:
    """What a setting names must be readable, and right."""
    with pytest.raises(ConfigurationError, match="country"):
        Pipeline.from_settings(load_settings(geoip_country_file=tmp_path / "country.mmdb"))
    with pytest.raises(ContractError, match=r"actions\.yaml"):
        Pipeline.from_settings(load_settings(catalogue_file=tmp_path / "actions.yaml"))
    (tmp_path / "wrong.yml").write_text("title: x\n")
    with pytest.raises(RuleError, match=r"wrong\.yml:1"):
        Pipeline.from_settings(load_settings(rules_dir=tmp_path))


def test_wrong_sentence() -> None:
    """A sentence that cannot be compiled is refused before the first event."""
    text = resource("actions.yaml").read_text(encoding="utf-8")
    catalogue = parse_catalogue(text.replace("created group {entity}", "made [{entity}"), "test")
    with pytest.raises(ContractError, match="not closed"):
        Pipeline(catalogue, load_rules().rules)


def test_clock() -> None:
    """Arrival is one moment for a whole batch, taken from the clock."""
    result = pipeline().process(records([encode(event()), b""]), NoPast())
    assert result.events["ingested_at"].to_list() == [NOW]
    assert result.rejects["rejected_at"].to_list() == [NOW]
