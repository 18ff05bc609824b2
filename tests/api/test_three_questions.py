"""The three questions of a reviewer are one request each, with the filters of their links."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from auditstream.api.explorer.presets import Preset, presets
from auditstream.contract.catalogue import shipped_catalogue
from auditstream.store.connection import Store

CONDITIONS = {
    "Roles and memberships": "category = 'user_membership' OR action LIKE 'group_member%'",
    "Groups, collections, connections": (
        "category IN ('user_groups', 'workspace_collections', 'workspace_connections')"
    ),
    "Access and permissions": (
        "match(action, 'access_changed$|^(collection|connection)_(member|group)_')"
    ),
}
_, *QUESTIONS = presets(shipped_catalogue())


def test_all_are_asked() -> None:
    """There are three, and no other."""
    assert [question.title for question in QUESTIONS] == list(CONDITIONS)


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.title)
def test_a_question_is_one_request(client: TestClient, store: Store, question: Preset) -> None:
    """With the filters of its link."""
    answer = client.get("/v1/workspace-0/events", params=[*question.filters, ("limit", "1000")])
    assert answer.status_code == 200
    found = store.query_frame(
        f"SELECT toString(event_id) AS id FROM {store.database}.events WHERE workspace_id = "
        f"'{0:016x}' AND ({CONDITIONS[question.title]}) ORDER BY occurred_at DESC, event_id DESC"
    )
    assert found.height
    assert [event["event_id"] for event in answer.json()["events"]] == found["id"].to_list()
    assert answer.json()["next_cursor"] is None
