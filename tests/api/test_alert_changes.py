"""The life cycle of alerts over HTTP."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from starlette.testclient import TestClient

from auditstream.alerts.life_cycle import show_alert
from auditstream.alerts.sample import sample_message
from auditstream.api.app import make_api
from auditstream.api.issue import Issued
from auditstream.publish.envelope import Envelope
from auditstream.settings import Settings
from auditstream.store.alerts import append_alerts
from auditstream.store.connection import Store
from tests.api.conftest import NewToken, audit_log_of_no_room, basic


@pytest.fixture(scope="module", params=["embedded"])
def url(request: pytest.FixtureRequest) -> str:
    """The embedded ClickHouse alone: changes on a real server are tested with the life cycle."""
    address: str = request.getfixturevalue("embedded_clickhouse").url
    return address


@pytest.fixture
def alert_id(store: Store) -> str:
    """An open alert of workspace 0."""
    alert = replace(sample_message(None).letters[0].alert, workspace_id=f"{0:016x}")
    append_alerts(store, [alert], threading.Event())
    return alert.alert_id


def test_alert_is_acknowledged_once(
    client: TestClient, store: Store, issued: Issued, alert_id: str, published: list[Envelope]
) -> None:
    """The second one is told who was first; both accesses are on record."""
    path = f"/v1/workspace-0/alerts/{alert_id}/acknowledge"
    first = client.post(path, json={"reason": "looking"})
    assert first.status_code == 200, first.text
    assert first.json()["state"] == "acknowledged"
    second = client.post(path, json={"reason": "me too"})
    assert second.status_code == 409
    assert second.headers["content-type"] == "application/problem+json"
    assert issued.token.token_id in second.json()["detail"]
    assert "looking" in second.json()["detail"]
    story = show_alert(store, alert_id)
    assert [made.reason for made in story.transitions] == ["looking"]
    assert len(published) == 2


@pytest.mark.usefixtures("published")
def test_alert_is_resolved_and_reopened(client: TestClient, store: Store, alert_id: str) -> None:
    """A reason need not be given."""
    for change in ("resolve", "reopen"):
        assert client.post(f"/v1/workspace-0/alerts/{alert_id}/{change}").status_code == 200
    assert show_alert(store, alert_id).state.state == "reopened"


def test_change_is_confined(
    nobody: TestClient, store: Store, new_token: NewToken, alert_id: str, published: list[Envelope]
) -> None:
    """Not by a token of another workspace, whatever the path, nor by one without the scope."""
    other, reader = new_token(1), new_token(scopes=("read",))
    for issued, workspace, status in ((other, 1, 404), (other, 0, 403), (reader, 0, 403)):
        answer = nobody.post(
            f"/v1/workspace-{workspace}/alerts/{alert_id}/resolve",
            headers={"Authorization": basic(issued)},
        )
        assert answer.status_code == status
    assert show_alert(store, alert_id).state.state == "open"
    assert len(published) == 3


@pytest.mark.usefixtures("published")
def test_wrong_changes_are_refused(client: TestClient, alert_id: str) -> None:
    """An unknown alert, an unknown change, an unknown field."""
    alerts = "/v1/workspace-0/alerts"
    assert client.post(f"{alerts}/{uuid4()}/resolve").status_code == 404
    assert client.post(f"{alerts}/{alert_id}/delete").status_code == 400
    wrong = client.post(f"{alerts}/{alert_id}/resolve", json={"because": "x"})
    assert wrong.status_code == 400


def test_change_that_cannot_be_recorded_is_not_made(
    settings: Settings, store: Store, issued: Issued, alert_id: str, tmp_path: Path
) -> None:
    """503, and the alert stays open."""
    with (
        audit_log_of_no_room(tmp_path, max_spool_bytes=1) as audit,
        TestClient(make_api(settings, audit=audit)) as client,
    ):
        answer = client.post(
            f"/v1/workspace-0/alerts/{alert_id}/resolve",
            headers={"Authorization": basic(issued)},
        )
    assert answer.status_code == 503
    assert show_alert(store, alert_id).state.state == "open"
