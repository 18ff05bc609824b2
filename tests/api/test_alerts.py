"""Lists of alerts over HTTP: filters, pages, and how each came into its state."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from starlette.testclient import TestClient

from auditstream.alerts.life_cycle import acknowledge, reopen, resolve
from auditstream.alerts.sample import sample_message
from auditstream.contract.alert import Alert, Evidence
from auditstream.contract.catalogue import Severity
from auditstream.publish.envelope import Envelope
from auditstream.store.alerts import append_alerts
from auditstream.store.connection import Store
from tests.api.conftest import NewToken, basic, metadata_of

PATH = "/v1/workspace-0/alerts"
START = datetime(2025, 3, 1, tzinfo=UTC)
SAMPLE = sample_message(None).letters[0].alert
LEVELS: tuple[Severity, ...] = ("low", "medium", "high")
STRANGE = 'O\'Hara\\n\t"ä" {x:String}'


def alert(number: int, workspace: int = 0) -> Alert:
    """The alert of that number: level, rule, actor and entity go in turns; pairs share a time."""
    return replace(
        SAMPLE,
        alert_id=str(UUID(int=(workspace << 64) + number + 1, version=4)),
        workspace_id=f"{workspace:016x}",
        workspace_username=f"workspace-{workspace}",
        rule_id=f"rule_{number % 3}",
        level=LEVELS[number % 3],
        actor=("ada", "bob", STRANGE)[number % 3],
        entity=("Star Space", STRANGE)[number % 2],
        occurred_at=START + timedelta(hours=number // 2),
        detected_at=START + timedelta(days=9, hours=-number),
        evidence=(Evidence(str(UUID(int=number + 1)), "audit.events", 0, number),),
    )


ALERTS = [alert(number) for number in range(12)]


@pytest.fixture(scope="module", autouse=True)
def _alerts(store: Store) -> None:
    """Twelve alerts; 0 is acknowledged, 1 resolved, 2 reopened, the others open; one elsewhere."""
    append_alerts(store, [*ALERTS, alert(0, workspace=1)], threading.Event())
    acknowledge(store, ALERTS[0].alert_id, "ada", "looking")
    resolve(store, ALERTS[1].alert_id, "bob", "known")
    for change in (acknowledge, resolve, reopen):
        change(store, ALERTS[2].alert_id, "ada", STRANGE)


def numbers(answer: Any) -> list[int]:
    """Return which of `ALERTS` an answer holds, in its order."""
    assert answer.status_code == 200, answer.text
    ids = [known.alert_id for known in ALERTS]
    return [ids.index(told["alert_id"]) for told in answer.json()["alerts"]]


NEWEST_FIRST = sorted(
    range(12), key=lambda n: (ALERTS[n].occurred_at, UUID(ALERTS[n].alert_id)), reverse=True
)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, set(range(12))),
        ({"state": "open"}, set(range(3, 12))),
        ({"state": ["acknowledged", "reopened"]}, {0, 2}),
        ({"state": "resolved"}, {1}),
        ({"rule": "rule_1"}, {1, 4, 7, 10}),
        ({"level": "medium"}, {n for n in range(12) if n % 3}),
        ({"level": "critical"}, set()),
        ({"actor": "ada"}, {0, 3, 6, 9}),
        ({"actor": STRANGE, "entity": STRANGE}, {5, 11}),
        ({"entity": "Star Space"}, {0, 2, 4, 6, 8, 10}),
        ({"since": "2025-03-01T02:00:00Z"}, set(range(4, 12))),
        ({"since": "2025-03-01T02:00:00+01:00", "until": "2025-03-01T03:00:00Z"}, {2, 3, 4, 5}),
        ({"state": "open", "level": "high", "actor": STRANGE}, {5, 8, 11}),
    ],
)
def test_filters(client: TestClient, query: dict[str, Any], expected: set[int]) -> None:
    """All that is given counts; the newest come first."""
    found = numbers(client.get(PATH, params=query))
    assert set(found) == expected
    assert found == [number for number in NEWEST_FIRST if number in expected]


@pytest.mark.parametrize("limit", [1, 5, 12])
def test_walk_shows_each_alert_once(client: TestClient, limit: int) -> None:
    """Page by page, over alerts of the same moment."""
    found: list[int] = []
    cursor: dict[str, str] = {}
    while True:
        answer = client.get(PATH, params={"limit": limit, **cursor})
        page = numbers(answer)
        assert len(page) <= limit
        found += page
        following = answer.json()["next_cursor"]
        if following is None:
            break
        cursor = {"cursor": following}
    assert found == NEWEST_FIRST


def test_alert_tells_how_it_came_into_its_state(
    client: TestClient, issued: Any, published: list[Envelope]
) -> None:
    """Each with its changes in their order, and alone as in the list; the access is on record."""
    listed = {told["alert_id"]: told for told in client.get(PATH).json()["alerts"]}
    changes = listed[ALERTS[2].alert_id]["transitions"]
    assert [change["state"] for change in changes] == ["acknowledged", "resolved", "reopened"]
    assert [change["number"] for change in changes] == [1, 2, 3]
    assert {(change["by"], change["reason"]) for change in changes} == {("ada", STRANGE)}
    assert datetime.fromisoformat(changes[0]["at"]).tzinfo is not None
    assert listed[ALERTS[2].alert_id]["state"] == "reopened"
    assert listed[ALERTS[3].alert_id]["transitions"] == []
    assert listed[ALERTS[3].alert_id]["evidence"][0]["offset"] == 3
    for known in ALERTS[:4]:
        assert client.get(f"{PATH}/{known.alert_id}").json() == listed[known.alert_id]
    assert metadata_of(published[0]) == {
        "token_id": issued.token.token_id,
        "path": PATH,
        "rows": "12",
    }


def test_list_is_confined(nobody: TestClient, new_token: NewToken) -> None:
    """A token sees the alerts of its own workspace; one by its id neither."""
    headers = {"Authorization": basic(new_token(1))}
    found = nobody.get("/v1/workspace-1/alerts", headers=headers).json()["alerts"]
    assert [told["workspace_id"] for told in found] == [f"{1:016x}"]
    answer = nobody.get(f"/v1/workspace-1/alerts/{ALERTS[0].alert_id}", headers=headers)
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"state": "closed"}, "state"),
        ({"level": "urgent"}, "level"),
        ({"since": "yesterday"}, "since"),
        ({"since": "2025-03-02", "until": "2025-03-01"}, "until"),
        ({"cursor": "AAAA"}, "cursor"),
        ({"limit": "0"}, "limit"),
        ({"rul": "x"}, "rul"),
    ],
)
def test_wrong_queries_are_refused(client: TestClient, query: dict[str, str], said: str) -> None:
    """With the name of what is wrong."""
    answer = client.get(PATH, params=query)
    assert answer.status_code == 400
    assert said in answer.json()["detail"]
