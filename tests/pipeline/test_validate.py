"""Events that do not meet the contract."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditstream.contract.catalogue import parse_catalogue, shipped_catalogue
from auditstream.contract.check import check_event
from auditstream.contract.limits import MAX_EVENT_BYTES, MAX_FUTURE_SECONDS, MAX_LENGTH
from auditstream.contract.resources import resource
from auditstream.contract.schemas import shipped_schemas
from auditstream.pipeline.actions import Actions
from auditstream.pipeline.decode import decode
from auditstream.pipeline.records import Batch
from auditstream.pipeline.validate import validate
from auditstream.pipeline.writers import Writers
from tests.pipeline.events import NOW, encode, event, micros, records, uuid7, valid_event
from tests.pipeline.strategies import wild_events

ACTIONS = Actions(shipped_catalogue())
LATEST = micros(NOW + timedelta(seconds=MAX_FUTURE_SECONDS))


def validated(*events: dict[str, Any], actions: Actions = ACTIONS) -> Batch:
    given = records([encode(item) for item in events])
    batch = decode(given, Writers(shipped_schemas().get), NOW, MAX_EVENT_BYTES)
    return validate(batch, actions, MAX_FUTURE_SECONDS)


@pytest.mark.parametrize(
    ("action", "fields", "reason", "field"),
    [
        ("group_created", {"action": "group_renamed"}, "unknown_action", "action"),
        ("org_user_invited", {"member": None}, "missing_field", "member"),
        ("collection_group_added", {"group": None}, "missing_field", "group"),
        ("org_user_role_changed", {"role": None}, "missing_field", "role"),
        ("group_created", {"member": {"id": "u"}}, "extra_field", "member"),
        ("group_created", {"group": {"id": "g"}}, "extra_field", "group"),
        ("group_created", {"role": "admin"}, "extra_field", "role"),
        ("org_user_invited", {"previous_role": "admin"}, "extra_field", "previous_role"),
        ("group_created", {"entity": {"type": "x", "id": "e"}}, "wrong_entity_type", "entity.type"),
        ("org_user_role_changed", {"role": "boss"}, "unknown_role", "role"),
        ("org_user_role_changed", {"previous_role": "view"}, "unknown_role", "previous_role"),
        ("group_created", {"workspace_id": ""}, "empty_string", "workspace_id"),
        ("group_created", {"source": {"service": "", "epoch": 1, "sequence": 1}}, "empty_string",
         "source.service"),
        ("group_created", {"changes": [{"field": ""}]}, "empty_string", "changes[0].field"),
        ("group_created", {"metadata": [{"key": "a", "value": ""}, {"key": "", "value": ""}]},
         "empty_string", "metadata[1].key"),
        ("group_created", {"workspace_id": "x" * 257}, "too_long", "workspace_id"),
        ("group_created", {"actor": {"user_agent": "x" * 4_097}}, "too_long", "actor.user_agent"),
        ("group_created", {"changes": [{"field": "f"}] * 1_001}, "too_long", "changes"),
        ("group_created", {"metadata": [{"key": "k", "value": "x" * 65_537}]}, "too_long",
         "metadata[0].value"),
        ("group_created", {"actor": {"ip": "300.1.1.1"}}, "invalid_ip", "actor.ip"),
        ("group_created", {"occurred_at": LATEST + 1}, "time_too_late", "occurred_at"),
        ("group_created", {"occurred_at": 2**63 - 1}, "time_too_late", "occurred_at"),
        ("group_created", {"occurred_at": 946_684_799_999_999}, "time_too_early", "occurred_at"),
        ("group_created", {"occurred_at": -(2**63)}, "time_too_early", "occurred_at"),
    ],
)  # fmt: skip
def test_bad_events(action: str, fields: dict[str, Any], reason: str, field: str) -> None:
    """A bad event is rejected with reason, field and raw bytes; its neighbours stay."""
    bad = event(action, number=2) | fields
    batch = validated(event(number=1), bad, event(number=3))
    assert batch.events["source_sequence"].to_list() == [1, 3]
    reject = batch.rejects.row(0, named=True)
    assert batch.rejects.height == 1
    assert (reject["reason"], reject["field"]) == (reason, field)
    assert (reject["kafka_offset"], reject["key"]) == (101, b"w1")
    assert reject["value"] == encode(bad)
    assert reject["event_id"] == bad["event_id"]
    assert field.partition("[")[0] in reject["message"]


def test_invalid_uuid() -> None:
    """An event whose id is no UUID is rejected, and the reject bears no event id."""
    values = [encode(event()), encode(event()).replace(b"-", b"_")]
    batch = decode(records(values), Writers(shipped_schemas().get), NOW, MAX_EVENT_BYTES)
    batch = validate(batch, ACTIONS, MAX_FUTURE_SECONDS)
    assert batch.rejects.select("reason", "field", "event_id").rows() == [
        ("invalid_uuid", "event_id", None)
    ]
    assert batch.rejects["value"].to_list() == values[1:]
    assert batch.events.height == 1


def test_first_problem_and_all_of_them() -> None:
    """The first problem in the order of the schema is the reason; the message lists all."""
    batch = validated(event("org_user_role_changed", occurred_at=0, member=None, role="boss"))
    reject = batch.rejects.row(0, named=True)
    assert (reject["reason"], reject["field"]) == ("time_too_early", "occurred_at")
    assert [part.partition(":")[0] for part in reject["message"].split("; ")] == [
        "occurred_at",
        "member",
        "role",
    ]


def test_long_lists_of_problems_are_cut() -> None:
    """A message lists some problems and counts the rest."""
    batch = validated(event(changes=[{"field": ""}] * 50))
    assert batch.rejects["message"][0].endswith("; and 30 more")


def test_one_form() -> None:
    """Event ids and roles are stored in lower case, addresses in their canonical form."""
    loud = event("org_user_role_changed", role="Admin", previous_role="VIEWER")
    loud |= {"event_id": uuid7(0xABC).upper(), "actor": {"ip": "2001:DB8:0:0::1"}}
    row = validated(event(), loud).events.row(1, named=True)
    assert row["event_id"] == uuid7(0xABC)
    assert (row["role"], row["previous_role"]) == ("admin", "viewer")
    assert row["actor_ip"] == "2001:db8::1"


def test_bounds_count_characters() -> None:
    """A text of as many characters as its bound is right, however many bytes they take."""
    batch = validated(event(workspace_id="ü" * 256), event(number=2, workspace_id="ü" * 257))
    assert batch.events["workspace_id"].to_list() == ["ü" * 256]
    assert batch.rejects["reason"].to_list() == ["too_long"]


def test_earlier_rejects_stay() -> None:
    """Rejects of the step before stay in the batch."""
    given = records([b"", encode(event()), encode(event(role="boss"))])
    batch = decode(given, Writers(shipped_schemas().get), NOW, MAX_EVENT_BYTES)
    batch = validate(batch, ACTIONS, MAX_FUTURE_SECONDS)
    assert batch.rejects["reason"].to_list() == ["not_framed", "extra_field"]
    assert batch.events["kafka_offset"].to_list() == [101]


def test_empty_batch() -> None:
    """A batch without events passes, with the same columns."""
    empty = validated(event(role="boss"))
    assert empty.events.is_empty()
    again = validate(replace(empty, events=empty.events.drop("action_number")), ACTIONS, 1.0)
    assert dict(again.events.schema) == dict(empty.events.schema)


def test_another_action() -> None:
    """An action added to the catalogue is valid by its own rules, without code."""
    text = resource("actions.yaml").read_text(encoding="utf-8")
    text += """
  dashboard_shared:
    category: workspace_collections
    description: dashboard shared
    entity: {type: workspace_dashboard, argument: dashboard}
    required: [member, role]
    role_scale: collection
    severity: low
    sentence: "{actor} shared dashboard {entity} with {member}[ as {role}]"
    ocsf: {class_uid: 3005, activity_id: 1}
"""
    catalogue = parse_catalogue(text, "test")
    good = valid_event(catalogue["dashboard_shared"])
    batch = validated(good, good | {"role": "admin"}, actions=Actions(catalogue))
    assert batch.events.height == 1
    assert batch.rejects["reason"].to_list() == ["unknown_role"]
    assert validated(good).rejects["reason"].to_list() == ["unknown_action"]


@settings(derandomize=True, deadline=None, max_examples=80)
@given(st.lists(wild_events(), min_size=1, max_size=10))
def test_agrees_with_the_check_of_one_event(events: list[dict[str, Any]]) -> None:
    """Worker and SDK accept the same events, and give the same first reason for the others."""
    batch = validated(*events)
    found = [check_event(item, shipped_catalogue(), NOW) for item in events]
    wrong = [(problems[0].reason, problems[0].field) for problems in found if problems]
    assert batch.rejects.select("reason", "field").rows() == wrong
    assert batch.events["row"].to_list() == [row for row, item in enumerate(found) if not item]


@pytest.mark.parametrize("path", MAX_LENGTH)
def test_every_bound_is_screened(path: str) -> None:
    """One character more than its bound is seen in every string of an event."""
    action = "collection_group_added" if path.startswith("group") else "org_user_reinvited"
    base = decode(
        records([encode(event(action, role=None))]), Writers(shipped_schemas().get), NOW, 9_999
    )
    for length, reasons in ((MAX_LENGTH[path], []), (MAX_LENGTH[path] + 1, [("too_long", path)])):
        long = pl.lit("x" * length).alias(path.replace(".", "_"))
        batch = validate(replace(base, events=base.events.with_columns(long)), ACTIONS, 1e9)
        found = [row for row in batch.rejects.select("reason", "field").rows() if row[1] == path]
        assert [row for row in found if row[0] == "too_long"] == reasons
