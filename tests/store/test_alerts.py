"""Alerts: stored once by their id, whoever stores them; listed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier, Event

from auditstream.contract.alert import Alert, Evidence, alert_id
from auditstream.store.alerts import append_alerts, list_alerts
from auditstream.store.connection import Store
from tests.store.conftest import NewProxy, NewStore
from tests.store.proxy import CUT_REQUEST, LOSE_ANSWER
from tests.store.rows import START, event_rows

WRITERS = 4
NEVER = Event()
EVENT_IDS = event_rows(40)["event_id"].to_list()


def alert(number: int) -> Alert:
    """Return an alert, detected `number` seconds after the start."""
    key = f"it's \\ {number}"
    return Alert(
        alert_id=alert_id("role_escalation", key, START, timedelta(hours=1)),
        rule_id="role_escalation" if number % 2 else "manage_granted",
        rule_title="Role escalation",
        rule_hash="abc",
        level="high" if number % 2 else "critical",
        sentence=f"ann made b\u00f6b admin {number}",
        reason="why",
        runbook=None if number % 3 else "https://example.com/runbook",
        group_key=key,
        workspace_id="w1",
        workspace_username="acme",
        actor="ann",
        entity="workspace acme",
        action="org_user_role_changed",
        occurred_at=START,
        detected_at=START + timedelta(seconds=number, microseconds=1),
        evidence=tuple(
            Evidence(EVENT_IDS[n], "audit.events", n, number) for n in range(number % 3)
        ),
        event_count=number,
    )


def test_alerts_come_back_as_they_were(store: Store) -> None:
    """Every field comes back, the newest alert first."""
    alerts = [alert(number) for number in range(10)]
    append_alerts(store, alerts, NEVER)
    assert list_alerts(store) == alerts[::-1]
    assert list_alerts(store, limit=3) == alerts[:-4:-1]
    assert list_alerts(store, rule_id="role_escalation") == alerts[:0:-2]
    assert list_alerts(store, since=alerts[7].detected_at) == alerts[:6:-1]


def test_an_alert_is_stored_once(store: Store) -> None:
    """Repeats, within a call or later, are dropped; the first one stays."""
    alerts = [alert(number) for number in range(4)]
    append_alerts(store, [*alerts[:2], alerts[0]], NEVER)
    append_alerts(store, [replace(item, sentence="told again") for item in alerts], NEVER)
    append_alerts(store, [], NEVER)
    assert [item.sentence for item in list_alerts(store)] == [
        "told again",
        "told again",
        alerts[1].sentence,
        alerts[0].sentence,
    ]


def test_writers_at_once(store: Store, new_store: NewStore, url: str) -> None:
    """Writers that store overlapping alerts at the same time leave each once."""
    stores = [new_store(url) for _ in range(WRITERS)]
    barrier = Barrier(WRITERS)

    def write(number: int) -> None:
        for turn in range(4):
            barrier.wait(30.0)
            first = 10 * turn + number
            append_alerts(stores[number], [alert(first + item) for item in range(5)], NEVER)

    with ThreadPoolExecutor(WRITERS) as threads:
        for done in [threads.submit(write, number) for number in range(WRITERS)]:
            done.result(60.0)
    expected = {10 * turn + item for turn in range(4) for item in range(WRITERS + 4)}
    assert sorted(item.event_count for item in list_alerts(store)) == sorted(expected)


def test_lost_messages(store: Store, new_store: NewStore, new_proxy: NewProxy) -> None:
    """Whatever gets lost on the way, each alert is stored once."""
    proxy = new_proxy()
    proxy.faults.extend([LOSE_ANSWER, CUT_REQUEST])
    through = new_store(proxy.url)
    append_alerts(through, [alert(1), alert(2)], NEVER)
    append_alerts(through, [alert(2), alert(3)], NEVER)
    assert [item.event_count for item in list_alerts(store)] == [3, 2, 1]
    assert not proxy.faults
