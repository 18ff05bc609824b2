"""Sentences: who did what to whom."""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditstream.contract.catalogue import shipped_catalogue
from tests.pipeline.batches import pipeline
from tests.pipeline.events import encode, event, records, valid_event
from tests.pipeline.past import NoPast
from tests.pipeline.strategies import valid_events

REQUIRED_ONLY: Final = {
    "org_user_role_changed": "ana changed the role of bob in workspace acme to admin",
    "org_user_invited": "ana invited bob to workspace acme",
    "org_user_invitation_resent": "ana sent bob the invitation to workspace acme again",
    "org_user_reinvited": "ana invited the former member bob back to workspace acme",
    "group_created": "ana created group Sales",
    "group_member_added": "ana added bob to group Sales",
    "group_member_removed": "ana removed bob from group Sales",
    "group_deleted": "ana deleted group Sales",
    "workspace_default_access_changed": (
        "ana changed the access of everyone in workspace acme to collection Sales to manage"
    ),
    "collection_created": "ana created collection Sales",
    "collection_deleted": "ana deleted collection Sales",
    "collection_member_added": "ana added bob to collection Sales",
    "collection_member_removed": "ana removed bob from collection Sales",
    "collection_member_access_changed": (
        "ana changed the access of bob to collection Sales to manage"
    ),
    "collection_group_added": "ana added group Finance to collection Sales",
    "collection_group_removed": "ana removed group Finance from collection Sales",
    "collection_group_access_changed": (
        "ana changed the access of group Finance to collection Sales to manage"
    ),
    "connection_created": "ana created connection Sales",
    "connection_deleted": "ana deleted connection Sales",
    "connection_member_added_with_role": "ana gave bob the role manage on connection Sales",
    "connection_member_removed": "ana removed bob from connection Sales",
    "connection_group_added_with_role": (
        "ana gave group Finance the role manage on connection Sales"
    ),
    "connection_group_removed": "ana removed group Finance from connection Sales",
    "connection_member_access_changed": "ana changed the role of bob on connection Sales to manage",
    "connection_group_access_changed": (
        "ana changed the role of group Finance on connection Sales to manage"
    ),
    "audit_log_accessed": "ana read the audit log of workspace acme",
}


def sentences(*events: dict[str, Any]) -> list[str]:
    given = records([encode(item) for item in events])
    found: list[str] = pipeline().process(given, NoPast()).events["sentence"].to_list()
    return found


def test_all_actions() -> None:
    """Every action has its sentence, in the order of the events, with required fields alone."""
    actions = shipped_catalogue().actions.values()
    batch = [
        valid_event(action, number) | {"workspace_id": f"w{number}"}
        for number, action in enumerate(actions)
    ]
    assert dict(zip(shipped_catalogue().actions, sentences(*batch), strict=True)) == REQUIRED_ONLY
    assert sentences(*reversed(batch)) == list(reversed(REQUIRED_ONLY.values()))


def test_order() -> None:
    """Sentences stand with their events also where actions alternate."""
    names = ["group_created", "group_deleted"] * 3
    batch = [event(name, number) for number, name in enumerate(names)]
    assert sentences(*batch) == [REQUIRED_ONLY[name] for name in names]


@pytest.mark.parametrize(
    ("action", "fields", "sentence"),
    [
        (
            "org_user_role_changed",
            {"previous_role": "viewer"},
            "ana changed the role of bob in workspace acme from viewer to admin",
        ),
        ("org_user_invited", {"role": "member"}, "ana invited bob to workspace acme as member"),
        (
            "org_user_reinvited",
            {"role": "Viewer", "previous_role": "admin"},
            "ana invited the former member bob back to workspace acme as viewer",
        ),
        (
            "workspace_default_access_changed",
            {"role": "view", "previous_role": "none"},
            (
                "ana changed the access of everyone in workspace acme to collection Sales"
                " from none to view"
            ),
        ),
        (
            "collection_member_added",
            {"role": "edit"},
            "ana added bob to collection Sales with access edit",
        ),
        (
            "connection_group_access_changed",
            {"previous_role": "query", "role": "view"},
            "ana changed the role of group Finance on connection Sales from query to view",
        ),
        ("group_created", {"actor": {"email": "a@b.c", "id": "u1"}}, "a@b.c created group Sales"),
        ("group_created", {"actor": {"id": "u1"}}, "u1 created group Sales"),
        ("group_created", {"actor": {}}, "someone created group Sales"),
        (
            "group_created",
            {"actor": {"username": "bot", "type": "service_account", "on_behalf_of": "u7"}},
            "bot on behalf of u7 created group Sales",
        ),
        (
            "group_created",
            {"entity": {"type": "workspace_group", "id": "g7"}},
            "ana created group g7",
        ),
        ("org_user_invited", {"member": {"id": "u2"}}, "ana invited u2 to workspace acme"),
        (
            "org_user_invited",
            {"member": {"id": "u2", "email": "b@b.c"}},
            "ana invited b@b.c to workspace acme",
        ),
        (
            "collection_group_added",
            {"group": {"id": "g1"}},
            "ana added group g1 to collection Sales",
        ),
        (
            "audit_log_accessed",
            {"workspace_username": ""},
            "ana read the audit log of workspace w1",
        ),
        (
            "connection_deleted",
            {"outcome": "denied", "outcome_reason": "not the owner"},
            "Denied: ana deleted connection Sales (not the owner)",
        ),
        ("connection_deleted", {"outcome": "failure"}, "Failed: ana deleted connection Sales"),
        (
            "connection_deleted",
            {"outcome_reason": "asked for"},
            "ana deleted connection Sales",
        ),
        (
            "group_created",
            {"actor": {"username": "ana\nbob deleted group Finance\r\x1b[2J\u202e"}},
            "ana\ufffdbob deleted group Finance\ufffd\ufffd[2J\ufffd created group Sales",
        ),
        (
            "group_created",
            {"entity": {"type": "workspace_group", "id": "g", "name": "Łódź {actor} [x] 名前"}},
            "ana created group Łódź {actor} [x] 名前",
        ),
    ],
)
def test_sentence(action: str, fields: dict[str, Any], sentence: str) -> None:
    """Optional parts, fallbacks, outcomes and hostile names read as they should."""
    assert sentences(event(action, **fields)) == [sentence]


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.lists(valid_events(), min_size=1, max_size=6))
def test_one_line_each(events: list[dict[str, Any]]) -> None:
    """Whatever events say, each has one sentence of one line."""
    different = {item["event_id"]: item for item in events}
    found = sentences(*different.values())
    assert len(found) == len(different)
    assert all(len(sentence.splitlines()) == 1 for sentence in found)
