"""OCSF and ECS: every action, whoever acts and whatever is known, against their definitions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from auditstream.api.ecs import to_ecs
from auditstream.api.ocsf import to_ocsf
from auditstream.contract.catalogue import shipped_catalogue
from tests.api.siem_schemas import ecs_faults, ocsf_faults
from tests.store.rows import event_rows

ACTOR_TYPES = ("user", "service_account", "api_token", "system", "unknown")
OUTCOMES = ("success", "failure", "denied")
UNKNOWN = {
    "actor_id": None,
    "actor_username": None,
    "actor_email": None,
    "actor_role": None,
    "actor_ip": None,
    "actor_user_agent": None,
    "actor_session_id": None,
    "entity_name": None,
    "member_username": None,
    "member_email": None,
    "group_name": None,
    "previous_role": None,
    "correlation_id": None,
    "request_id": None,
    "source_version": None,
    "source_instance": None,
    "user_agent_family": None,
    "user_agent_os": None,
}


def _samples() -> dict[str, list[dict[str, Any]]]:
    """Return some events of each action, under the names of columns, as JSON has them."""
    samples: dict[str, list[dict[str, Any]]] = {name: [] for name in shipped_catalogue().actions}
    for row in event_rows(4_000, seed=5).iter_rows(named=True):
        told = samples[row["action"]]
        if len(told) < 3:
            told.append(
                {
                    name: value.isoformat() if isinstance(value, datetime) else value
                    for name, value in row.items()
                }
            )
    return samples


SAMPLES = _samples()


def variants(event: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the event by every kind of actor, with every outcome, with much and little known."""
    much = {"outcome_reason": "no", "country": "DE", "network": "Example Net"}
    odd = {"metadata": [{"key": "a.b", "value": "c"}, {"key": "a.b", "value": "d"}]}
    return [
        {**event, "actor_type": kind, "outcome": outcome, **known}
        for kind in ACTOR_TYPES
        for outcome in OUTCOMES
        for known in (much, odd, UNKNOWN)
    ]


@pytest.mark.parametrize("action", sorted(SAMPLES))
def test_forms_are_as_defined(action: str) -> None:
    """No attribute is missing, unknown, or of another type, and numbers are among the defined."""
    assert SAMPLES[action], "no sample was drawn"
    for event in SAMPLES[action]:
        for variant in variants(event):
            assert ocsf_faults(to_ocsf(variant)) == []
            assert ecs_faults(to_ecs(variant)) == []


def test_faults_are_found() -> None:
    """The definitions themselves: what is wrong is told."""
    event = SAMPLES["group_member_added"][0]
    form = to_ocsf(event)
    assert ocsf_faults({**form, "severity_id": 7, "colour": "red"}) == [
        "severity_id: 7",
        "colour: is unknown",
    ]
    assert ocsf_faults({**form, "user": {"type": "x"}}) == ["user.: has none of account, name, uid"]
    del form["user"], form["group"]
    assert ocsf_faults(form) == ["group: is missing", ": has none of privileges, user"]
    document = to_ecs(event)
    document["event"]["type"].append("denied")
    document["source"]["ip"] = "nowhere"
    assert ecs_faults(document) == ["source.ip: 'nowhere'", "event.type: denied"]
