"""`auditstream alerts`: lists, answers, silences, destinations, with their exit codes."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from auditstream.alerts.planner import held_row, planned_row
from auditstream.settings import Settings
from auditstream.store.alert_deliveries import append_deliveries, list_open
from auditstream.store.alerts import append_alerts
from auditstream.store.connection import Store
from tests.alerts.receiver import SECRET, receiving
from tests.alerts.samples import alert
from tests.cli.conftest import Command

ID = alert(1).alert_id


@pytest.fixture(autouse=True)
def addresses(services: Settings, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands find ClickHouse, with three alerts in it."""
    monkeypatch.setenv("AUDITSTREAM_CLICKHOUSE_URL", services.clickhouse_url)
    alerts = [alert(1), alert(2, level="low", actor="eve"), alert(3, rule_id="other")]
    append_alerts(store, alerts, threading.Event())
    for table in ("alert_transitions", "alert_silences", "alert_deliveries", "alert_hits"):
        store.command(f"TRUNCATE TABLE {store.database}.{table}")


def ids(auditstream: Command, *arguments: str) -> str:
    rows = json.loads(auditstream("alerts", "list", "-f", "json", *arguments).out)
    return "".join(sorted(row["alert_id"][-1] for row in rows))


def test_list_chooses(auditstream: Command) -> None:
    """Filters by state, level, rule, workspace, actor and time."""
    assert ids(auditstream) == "123"
    assert ids(auditstream, "--level", "medium") == "13"
    assert ids(auditstream, "--rule", "other") == "3"
    assert ids(auditstream, "--actor", "eve") == "2"
    assert ids(auditstream, "--workspace", "nope") == ""
    assert ids(auditstream, "--since", "2026-03-15") == ""
    assert ids(auditstream, "--limit", "1") == "3"
    auditstream("alerts", "ack", ID)
    assert ids(auditstream, "--state", "acknowledged", "--state", "resolved") == "1"
    header, first, *_ = auditstream("alerts", "list", "-f", "csv").out.splitlines()
    assert header == "level,state,occurred_at,sentence,events,rule,alert_id"
    assert first.endswith(alert(3).alert_id)


def test_answers(auditstream: Command) -> None:
    """Who was first is told to the second with code 1; show has all of it."""
    first = auditstream("alerts", "ack", ID, "--by", "ann", "--reason", "looking")
    assert (first.code, first.out) == (0, f"alert {ID} is acknowledged by ann\n")
    second = auditstream("alerts", "ack", ID, "--by", "bob")
    assert (second.code, second.out) == (1, "")
    assert "is acknowledged by ann" in second.err
    assert auditstream("alerts", "resolve", ID, "--by", "ann").code == 0
    assert auditstream("alerts", "reopen", ID, "--by", "bob").code == 0
    shown = json.loads(auditstream("alerts", "show", ID, "-f", "json").out)
    assert [item["state"] for item in shown["transitions"]] == [
        "acknowledged",
        "resolved",
        "reopened",
    ]
    page = auditstream("alerts", "show", ID).out
    assert "leo.park" in page
    assert "looking" in page
    assert "0195f0a2-1111-7abc-8def-0123456789ab" in page
    assert auditstream("alerts", "show", alert(9).alert_id).code == 1


def test_silences(auditstream: Command, store: Store) -> None:
    """A silence is made, listed, reported on and ended."""
    made = auditstream(
        "alerts", "silence", "--rule", "role_escalation", "--for", "2h", "-r", "move", "--by", "ann"
    )
    number = made.out.strip()
    (listed,) = json.loads(auditstream("alerts", "silences", "-f", "json").out)
    assert (listed["silence_id"], listed["what"]) == (number, "rule role_escalation")
    held = held_row(alert(1), 0, datetime.now(UTC), "silenced", number, 1)
    append_deliveries(store, [held])
    (report,) = json.loads(auditstream("alerts", "silences", "--report", "-f", "json").out)
    assert (report["hidden"], report["levels"]) == (1, "1 high")
    assert auditstream("alerts", "unsilence", number).code == 0
    assert auditstream("alerts", "unsilence", number).code == 1
    assert json.loads(auditstream("alerts", "silences", "-f", "json").out) == []
    (ended,) = json.loads(auditstream("alerts", "silences", "--all", "-f", "json").out)
    assert ended["state"] == "cancelled"


@pytest.mark.parametrize(
    "arguments",
    [
        ("silence", "--for", "2h", "--reason", "x"),
        ("silence", "--for", "soon", "--reason", "x", "--rule", "r"),
        ("silence", "--for", "2h", "--reason", "x", "--level", "loud"),
        ("list", "--level", "loud"),
        ("list", "--state", "sleeping"),
        ("list", "--since", "yesterday"),
        ("test", "nowhere"),
    ],
    ids=" ".join,
)
def test_wrong_usage(auditstream: Command, arguments: tuple[str, ...]) -> None:
    """What cannot be meant is told, with code 2."""
    assert auditstream("alerts", *arguments).code == 2


def test_tail_shows_the_last(auditstream: Command) -> None:
    """The last alerts are printed, a line each, those that were chosen."""
    shown = auditstream("alerts", "tail", "--seconds", "0", "--level", "high", "-n", "1")
    assert len(shown.out.splitlines()) == 1
    assert shown.out.startswith("HIGH")


def test_dead_letters(auditstream: Command, store: Store) -> None:
    """What was given up is listed with the last answer, and taken up again on demand."""
    now = datetime.now(UTC)
    row = planned_row(alert(1), 0, now, "alert", "hook", now, 1)
    dead = replace(row, state="dead", attempt=3, error="hook answered 410")
    append_deliveries(store, [row, dead])
    (listed,) = json.loads(auditstream("alerts", "dead-letters", "-f", "json").out)
    assert (listed["error"], listed["attempts"]) == ("hook answered 410", 3)
    assert auditstream("alerts", "dead-letters", "--retry").out == "1 will be tried again\n"
    assert json.loads(auditstream("alerts", "dead-letters", "-f", "json").out) == []
    assert [item.state for item in list_open(store, [0], now, 9)] == ["retried"]


def test_destination_is_tried(auditstream: Command, tmp_path: Path) -> None:
    """A sample arrives; a destination that refuses it is code 1, in one line without secrets."""
    with receiving() as receiver:
        (tmp_path / "auditstream.toml").write_text(
            f'[notifier.destinations.hook]\ntype = "webhook"\nurl = "{receiver.url}"\n'
            f'secret = "{SECRET}"\n'
        )
        assert auditstream("alerts", "test", "hook").code == 0
        assert receiver.requests[0].document["type"] == "alert.test"
        receiver.answers = [(403, {})]
        refused = auditstream("alerts", "test", "hook")
    assert refused.code == 1
    assert "403" in refused.err
    assert refused.err.count("\n") == 1
    assert "topsecretpath" not in refused.err
