"""The built-in rules, each with what it must see and what it must not."""

from __future__ import annotations

from datetime import timedelta
from importlib.resources import files
from typing import Any

import polars as pl
import pytest

from auditstream.contract.catalogue import shipped_catalogue
from auditstream.pipeline.look_up import ROLE_SCHEMA
from auditstream.rules.load import builtin_rules
from auditstream.rules.rule import Rule
from tests.pipeline.batches import pipeline
from tests.pipeline.events import NOW, encode, event, records
from tests.pipeline.past import Past

ESCALATION = "role_escalation"
TO_MEMBER = "connection_manage_granted_to_member"
TO_GROUP = "connection_manage_granted_to_group"


def held(role: str | None, subject: tuple[str, str], entity: tuple[str, str]) -> Past:
    """Return a history in which a role was held an hour ago; type and id name whose and on what."""
    row = ["w1", *entity, *subject, NOW - timedelta(hours=1), 1, role]
    return Past(role_rows=pl.DataFrame([row], schema=ROLE_SCHEMA, orient="row"))


def alerts(action: str, past: Past | None = None, **fields: Any) -> list[tuple[str, str]]:
    given = records([encode(event(action, **fields))])
    return [
        (alert.rule_id, alert.sentence)
        for alert in pipeline().process(given, past or Past()).alerts
    ]


@pytest.mark.parametrize(
    ("role", "before"), [("admin", "viewer"), ("admin", "member"), ("member", "viewer")]
)
def test_escalation(role: str, before: str) -> None:
    """A higher role than the event says was held before is an escalation."""
    assert alerts("org_user_role_changed", role=role, previous_role=before) == [
        (ESCALATION, f"ana raised bob from {before} to {role} in workspace acme")
    ]


def test_escalation_by_the_history() -> None:
    """A higher role than the last known one is an escalation too."""
    past = held("viewer", ("member", "u2"), ("workspace", "workspace-1"))
    assert alerts("org_user_role_changed", past, role="admin") == [
        (ESCALATION, "ana raised bob from viewer to admin in workspace acme")
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"role": "viewer", "previous_role": "admin"},
        {"role": "admin", "previous_role": "admin"},
        {"role": "admin"},
        {"role": "admin", "previous_role": "viewer", "outcome": "denied"},
        {"role": "admin", "previous_role": "viewer", "outcome": "failure"},
    ],
    ids=str,
)
def test_no_escalation(fields: dict[str, Any]) -> None:
    """A lower, equal or unknown step is none, nor is one that did not succeed."""
    assert alerts("org_user_role_changed", **fields) == []


def test_invitations_are_no_escalation() -> None:
    """Only a change of role is one."""
    assert alerts("org_user_reinvited", role="admin", previous_role="viewer") == []


@pytest.mark.parametrize(
    ("action", "rule", "whom"),
    [
        ("connection_member_added_with_role", TO_MEMBER, "bob"),
        ("connection_member_access_changed", TO_MEMBER, "bob"),
        ("connection_group_added_with_role", TO_GROUP, "group Finance"),
        ("connection_group_access_changed", TO_GROUP, "group Finance"),
    ],
)
def test_manage_granted(action: str, rule: str, whom: str) -> None:
    """Manage is an alert when it is new, whatever was before, and none when it is not."""
    subject = ("member", "u2") if rule == TO_MEMBER else ("group", "g1")
    sentence = f"ana gave {whom} the role manage on connection Sales in workspace acme"
    entity = ("workspace_connection", "workspace_connection-1")
    assert alerts(action) == [(rule, sentence)]
    assert alerts(action, held(None, subject, entity)) == [(rule, sentence)]
    assert alerts(action, held("query", subject, entity)) == [
        (rule, f"{sentence}, before it was query")
    ]
    assert alerts(action, held("manage", subject, entity)) == []
    assert alerts(action, role="query") == []
    assert alerts(action, outcome="denied") == []


@pytest.mark.parametrize("action", ["collection_member_access_changed", "collection_group_added"])
def test_manage_on_something_else(action: str) -> None:
    """Manage on a collection is not Manage on a connection."""
    assert alerts(action, role="manage") == []


def test_quiet_actions() -> None:
    """No action fires a rule with its lowest role."""
    for action in shipped_catalogue().actions.values():
        role = action.roles[0] if "role" in action.fields else None
        assert alerts(action.name, role=role) == []


@pytest.mark.parametrize("rule", builtin_rules(), ids=lambda rule: rule.name)
def test_written_for_people(rule: Rule) -> None:
    """A rule tells what it means, when it errs, and where to read what to do."""
    assert len(rule.description.split()) > 20
    assert rule.false_positives
    assert rule.reason.endswith(".")
    assert rule.level == "high"
    assert rule.status == "stable"
    runbook = files("auditstream").joinpath(str(rule.runbook).removeprefix("auditstream/"))
    assert "## Is it wanted?" in runbook.read_text(encoding="utf-8")


def test_ids_are_unique() -> None:
    """No two rules share a name or an id."""
    rules = builtin_rules()
    assert {rule.name for rule in rules} == {ESCALATION, TO_MEMBER, TO_GROUP}
    assert len({rule.sigma_id for rule in rules}) == len(rules)
