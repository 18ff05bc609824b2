"""Silences over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from starlette.testclient import TestClient

from auditstream.alerts.sample import sample_message
from auditstream.alerts.silences import silence
from auditstream.api.app import make_api
from auditstream.api.issue import Issued
from auditstream.publish.envelope import Envelope
from auditstream.settings import Settings
from auditstream.store.alert_silences import list_silences
from auditstream.store.connection import Store
from tests.api.conftest import NewToken, audit_log_of_no_room, basic, metadata_of

PATH = "/v1/workspace-0/silences"


@pytest.fixture(scope="module", params=["embedded"])
def url(request: pytest.FixtureRequest) -> str:
    """The embedded ClickHouse alone: silences on a real server are tested with the notifier."""
    address: str = request.getfixturevalue("embedded_clickhouse").url
    return address


@pytest.fixture(autouse=True)
def _none(store: Store) -> None:
    """No silence is there yet."""
    store.command(f"TRUNCATE TABLE {store.database}.alert_silences")


def wanted(**fields: Any) -> dict[str, Any]:
    """Return what makes a silence."""
    until = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    return {"until": until, "reason": "onboarding", **fields}


def test_silence_is_made_listed_and_ended(
    client: TestClient, store: Store, issued: Issued, published: list[Envelope]
) -> None:
    """It is confined to the workspace, and each step says who did it and is on record."""
    by = f"{issued.token.name} ({issued.token.token_id})"
    answer = client.post(PATH, json=wanted(rule="role_escalation", entity="Ä 'x'\\"))
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["state"], made["by"], made["entity"]) == ("in force", by, "Ä 'x'\\")
    assert client.get(PATH).json() == {"silences": [made]}
    (stored,) = list_silences(store)
    alert = sample_message(None).letters[0].alert
    there = {"rule_id": "role_escalation", "entity": "Ä 'x'\\", "workspace_id": f"{0:016x}"}
    assert stored.matches(type(alert)(**{**vars(alert), **there}))
    assert not stored.matches(type(alert)(**{**vars(alert), **there, "workspace_id": "other"}))

    ended = client.post(f"{PATH}/{made['silence_id']}/end", json={"reason": "all are in"})
    assert ended.status_code == 200, ended.text
    assert (ended.json()["state"], ended.json()["reason"]) == ("cancelled", "all are in")
    assert client.get(PATH).json() == {"silences": []}
    (kept,) = client.get(PATH, params={"all": "true"}).json()["silences"]
    assert (kept["state"], kept["by"], kept["reason"]) == ("cancelled", by, "all are in")
    assert client.post(f"{PATH}/{made['silence_id']}/end").status_code == 409

    told = [metadata_of(event) for event in published]
    assert [event["path"].removeprefix(PATH) for event in told] == [
        "",
        "",
        f"/{made['silence_id']}/end",
        "",
        "",
        f"/{made['silence_id']}/end",
    ]
    assert told[0]["filter.rule"] == "role_escalation"
    assert told[0]["filter.reason"] == "onboarding"


@pytest.mark.usefixtures("published")
def test_silences_are_confined(
    client: TestClient, store: Store, issued: Issued, new_token: NewToken
) -> None:
    """Not seen and not ended from another workspace, nor without the scope; nor are global ones."""
    until = datetime.now(UTC) + timedelta(hours=1)
    everywhere = silence(store, until=until, author="on-call", reason="x", level="low")
    mine = client.post(PATH, json=wanted(actor="ada")).json()["silence_id"]
    assert [known["silence_id"] for known in client.get(PATH).json()["silences"]] == [mine]
    assert client.post(f"{PATH}/{everywhere.silence_id}/end").status_code == 404
    assert client.post(f"{PATH}/{uuid4()}/end").status_code == 404
    other, reader = new_token(1), new_token(scopes=("read", "export"))
    for token, workspace, status in ((other, 1, 404), (other, 0, 403), (reader, 0, 403)):
        headers = {"Authorization": basic(token)}
        path = f"/v1/workspace-{workspace}/silences"
        assert client.post(f"{path}/{mine}/end", headers=headers).status_code == status
        if status == 403:
            assert client.get(path, headers=headers).status_code == status
            refused = client.post(path, headers=headers, json=wanted(actor="ada"))
            assert refused.status_code == status
        else:
            assert client.get(path, headers=headers).json() == {"silences": []}
    assert len(list_silences(store, datetime.now(UTC))) == 2
    assert not any(known.cancelled for known in list_silences(store))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (wanted(), "rule, level, actor, entity"),
        (wanted(rule="x", until="2020-01-01"), "future"),
        (wanted(rule="x", until="2999-01-01"), "90 days"),
        (wanted(rule="x", until="soon"), "until"),
        (wanted(rule="x", reason=" "), "reason"),
        (wanted(level="urgent"), "level"),
        (wanted(rule="x", workspace_id="other"), "workspace_id"),
    ],
)
@pytest.mark.usefixtures("published")
def test_wrong_silences_are_refused(
    client: TestClient, store: Store, body: dict[str, Any], said: str
) -> None:
    """With what is wrong; none is made."""
    answer = client.post(PATH, json=body)
    assert answer.status_code == 400
    assert said in answer.json()["detail"]
    assert list_silences(store) == []


def test_silence_that_cannot_be_recorded_is_not_made(
    settings: Settings, store: Store, issued: Issued, tmp_path: Path
) -> None:
    """503, and nothing is silenced."""
    with (
        audit_log_of_no_room(tmp_path, max_spool_bytes=1) as audit,
        TestClient(make_api(settings, audit=audit)) as client,
    ):
        headers = {"Authorization": basic(issued)}
        assert client.post(PATH, headers=headers, json=wanted(rule="x")).status_code == 503
    assert list_silences(store) == []
