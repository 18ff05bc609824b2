"""One event against schema, bounds and catalogue."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from auditstream.contract.catalogue import shipped_catalogue
from auditstream.contract.check import check_event
from auditstream.contract.limits import MAX_FUTURE_SECONDS
from tests.pipeline.events import NOW, event, micros, uuid7, valid_event

LATEST = NOW + timedelta(seconds=MAX_FUTURE_SECONDS)


def problems(datum: dict[str, Any]) -> list[tuple[str, str]]:
    found = check_event(datum, shipped_catalogue(), NOW)
    return [(problem.reason, problem.field) for problem in found]


@pytest.mark.parametrize("action", shipped_catalogue().actions.values(), ids=lambda item: item.name)
def test_required_fields_suffice(action: Any) -> None:
    """An event of any action is right with its required fields alone."""
    assert problems(valid_event(action)) == []


@pytest.mark.parametrize(
    ("fields", "reason", "field"),
    [
        ({"event_id": ""}, "empty_string", "event_id"),
        ({"event_id": "x" * 37}, "too_long", "event_id"),
        ({"event_id": uuid7(1).replace("-", "_")}, "invalid_uuid", "event_id"),
        ({"event_id": 5}, "wrong_type", "event_id"),
        ({"action": "group_renamed"}, "unknown_action", "action"),
        ({"action": ""}, "empty_string", "action"),
        ({"action": "x" * 65}, "too_long", "action"),
        ({"action": None}, "missing_field", "action"),
        ({"action": ["group_created"]}, "wrong_type", "action"),
        ({"occurred_at": micros(LATEST) + 1}, "time_too_late", "occurred_at"),
        ({"occurred_at": LATEST + timedelta(microseconds=1)}, "time_too_late", "occurred_at"),
        ({"occurred_at": 946_684_799_999_999}, "time_too_early", "occurred_at"),
        ({"occurred_at": -(2**63) - 1}, "wrong_type", "occurred_at"),
        ({"occurred_at": True}, "wrong_type", "occurred_at"),
        ({"occurred_at": datetime(2026, 1, 1)}, "wrong_type", "occurred_at"),  # noqa: DTZ001
        ({"workspace_id": ""}, "empty_string", "workspace_id"),
        ({"workspace_id": "x" * 257}, "too_long", "workspace_id"),
        ({"workspace_id": "\ud800"}, "invalid_utf8", "workspace_id"),
        ({"workspace_username": None}, "wrong_type", "workspace_username"),
        ({"actor": {"ip": "10.0.0.256"}}, "invalid_ip", "actor.ip"),
        ({"actor": {"id": ""}}, "empty_string", "actor.id"),
        ({"actor": {"type": "robot"}}, "wrong_type", "actor.type"),
        ({"actor": {"name": "ana"}}, "extra_field", "actor.name"),
        ({"actor": None}, "missing_field", "actor"),
        ({"actor": "ana"}, "wrong_type", "actor"),
        ({"entity": {"type": "workspace", "id": "e"}}, "wrong_entity_type", "entity.type"),
        ({"entity": {"type": "workspace_group"}}, "missing_field", "entity.id"),
        ({"member": {"id": "u"}}, "extra_field", "member"),
        ({"group": {"id": "g"}}, "extra_field", "group"),
        ({"role": "admin"}, "extra_field", "role"),
        ({"previous_role": "admin"}, "extra_field", "previous_role"),
        ({"outcome": "maybe"}, "wrong_type", "outcome"),
        ({"changes": [{"field": "", "new": "x"}]}, "empty_string", "changes[0].field"),
        ({"changes": [{"field": "f", "old": "x" * 65_537}]}, "too_long", "changes[0].old"),
        ({"changes": [{"field": "f"}] * 1_001}, "too_long", "changes"),
        ({"changes": [3]}, "wrong_type", "changes[0]"),
        ({"changes": {"field": "f"}}, "wrong_type", "changes"),
        ({"metadata": [{"key": "k"}]}, "missing_field", "metadata[0].value"),
        ({"metadata": [{"key": "", "value": ""}]}, "empty_string", "metadata[0].key"),
        ({"source": {"service": "s", "epoch": 1}}, "missing_field", "source.sequence"),
        ({"roll": "admin"}, "extra_field", "roll"),
    ],
)
def test_wrong_field(fields: dict[str, Any], reason: str, field: str) -> None:
    """A field that is wrong is named, with the reason, and nothing else is."""
    assert problems(event("group_created", **fields)) == [(reason, field)]


@pytest.mark.parametrize(
    ("action", "fields", "reason", "field"),
    [
        ("org_user_invited", {"member": None}, "missing_field", "member"),
        ("collection_group_added", {"group": None}, "missing_field", "group"),
        ("org_user_role_changed", {"role": None}, "missing_field", "role"),
        ("org_user_role_changed", {"role": ""}, "empty_string", "role"),
        ("org_user_role_changed", {"role": "x" * 65}, "too_long", "role"),
        ("org_user_role_changed", {"role": "manage"}, "unknown_role", "role"),
        ("org_user_role_changed", {"previous_role": "none"}, "unknown_role", "previous_role"),
        ("org_user_invited", {"member": {"id": "u", "email": ""}}, "empty_string", "member.email"),
    ],
)
def test_fields_of_an_action(action: str, fields: dict[str, Any], reason: str, field: str) -> None:
    """What an action requires, allows and knows as roles is checked."""
    assert problems(event(action, **fields)) == [(reason, field)]


@pytest.mark.parametrize(
    "fields",
    [
        {"event_id": uuid7(1).upper()},
        {"event_id": UUID(uuid7(1))},
        {"occurred_at": LATEST},
        {"occurred_at": datetime(2000, 1, 1, tzinfo=UTC)},
        {"actor": {}},
        {"actor": {"ip": "::ffff:10.0.0.1"}},
        {"workspace_username": ""},
        {"changes": [{"field": "f", "old": "", "new": None}]},
        {"metadata": ({"key": "k", "value": ""},)},
        {"outcome": "denied", "outcome_reason": "no \N{PARTY POPPER}"},
    ],
)
def test_right_fields(fields: dict[str, Any]) -> None:
    """What is unusual but right is accepted."""
    assert problems(event("group_created", **fields)) == []


def test_roles_in_any_case() -> None:
    """A role may be written in capitals."""
    assert problems(event("org_user_role_changed", role="Admin", previous_role="VIEWER")) == []


def test_all_problems_in_order() -> None:
    """Every problem is listed, in the order of the schema's fields."""
    datum = event("org_user_role_changed", event_id="x", role="boss", member=None, extra=1)
    datum |= {"occurred_at": 0, "group": {"id": "g"}, "source": {}}
    assert problems(datum) == [
        ("invalid_uuid", "event_id"),
        ("time_too_early", "occurred_at"),
        ("missing_field", "member"),
        ("extra_field", "group"),
        ("unknown_role", "role"),
        ("missing_field", "source.service"),
        ("missing_field", "source.epoch"),
        ("missing_field", "source.sequence"),
        ("extra_field", "extra"),
    ]


def test_messages_say_what_is_right() -> None:
    """A message tells what would be right, and does not carry control characters along."""
    (problem,) = check_event(
        event("org_user_role_changed", role="bo\nss"), shipped_catalogue(), NOW
    )
    assert "viewer, member, admin" in problem.message
    assert "\n" not in problem.message


def test_empty_event() -> None:
    """An event without anything is told all that it lacks."""
    assert {reason for reason, _ in problems({})} == {"missing_field"}
