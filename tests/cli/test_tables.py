from __future__ import annotations

import base64
import json

import pytest

from auditstream.alerts.records import read_topic
from auditstream.alerts.topics import ensure_topics
from auditstream.contract.schemas import frame
from auditstream.settings import Settings
from auditstream.store.connection import Store
from tests.cli.conftest import Command

VALUE = b"\x00\x01\xffnot avro\n"


@pytest.fixture(autouse=True)
def addresses(services: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands find the services by the environment."""
    monkeypatch.setenv("AUDITSTREAM_CLICKHOUSE_URL", services.clickhouse_url)
    monkeypatch.setenv("AUDITSTREAM_KAFKA_BROKERS", services.kafka_brokers)


def reject(
    store: Store, offset: int, reason: str, value: bytes | None, key: str = "'ws-1'"
) -> None:
    shown = "NULL" if value is None else f"base64Decode('{base64.b64encode(value).decode()}')"
    store.command(
        f"INSERT INTO {store.database}.rejected_events (stream, kafka_topic, kafka_partition, "
        "kafka_offset, key, value, reason, field, message, rejected_at) VALUES "
        f"('c/t/i', 't', 2, {offset}, {key}, {shown}, '{reason}', 'member', 'is missing', "
        f"'2026-03-14 02:13:{offset % 60:02d}')"
    )


def test_rejects_are_listed_newest_first(auditstream: Command, store: Store) -> None:
    """Each has its position, reason, field and message; --reason and --limit choose."""
    for offset, reason in enumerate(["not_avro", "missing_field", "not_avro"]):
        reject(store, offset, reason, VALUE)
    rows = json.loads(auditstream("rejects", "list", "-f", "json").out)
    assert [row["position"] for row in rows] == ["2:2", "2:1", "2:0"]
    assert rows[1]["message"] == "is missing"
    assert "2:1" in auditstream("rejects", "list", "--reason", "missing_field").out
    chosen = json.loads(
        auditstream("rejects", "list", "-r", "not_avro", "--limit", "1", "-f", "json").out
    )
    assert [row["position"] for row in chosen] == ["2:2"]


def test_reject_is_shown_with_its_bytes(auditstream: Command, store: Store) -> None:
    """The page has reason and a dump, JSON has every byte."""
    reject(store, 7, "not_avro", VALUE)
    page = auditstream("rejects", "show", "2:7").out
    assert "not_avro" in page
    assert "00 01 ff 6e 6f 74" in page
    document = json.loads(auditstream("rejects", "show", "2:7", "-f", "json").out)
    assert base64.b64decode(document["value"]) == VALUE
    assert base64.b64decode(document["key"]) == b"ws-1"


def test_reject_that_can_be_read_is_shown_as_event(auditstream: Command, store: Store) -> None:
    """Where the datum itself is sound, its fields are shown."""
    reject(store, 8, "unknown_action", frame(1001, b"\x04id\x04do" + b"\x00" * 40))
    assert '"action": "do"' in auditstream("rejects", "show", "2:8").out


def test_reject_that_is_not_there(auditstream: Command, store: Store) -> None:
    """A position nothing was rejected at is told, with code 1."""
    outcome = auditstream("rejects", "show", "0:1")
    assert outcome.code == 1
    assert "0:1" in outcome.err


def test_replay_sends_the_bytes_as_they_were(
    auditstream: Command, store: Store, services: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Key and value arrive unchanged, missing ones too; only what was chosen is sent."""
    monkeypatch.setenv("AUDITSTREAM_EVENTS_TOPIC", "replayed")
    ensure_topics(services.model_copy(update={"events_topic": "replayed"}), 1)
    reject(store, 1, "not_avro", VALUE)
    reject(store, 2, "null_value", None)
    reject(store, 3, "null_key", b"no key", key="NULL")
    reject(store, 4, "too_long", b"other")
    outcome = auditstream("rejects", "replay", "2:1", "2:2", "2:3")
    assert (outcome.code, outcome.out) == (0, "3 replayed to topic replayed\n")
    records = {(record.key, record.value) for record in read_topic(services, "replayed")}
    assert records == {(b"ws-1", VALUE), (b"ws-1", None), (None, b"no key")}
    assert auditstream("rejects", "replay", "--reason", "too_long").code == 0
    assert len(list(read_topic(services, "replayed"))) == 4
    assert auditstream("rejects", "replay", "--reason", "never").code == 1


def test_alerts_are_listed_newest_first(auditstream: Command, store: Store) -> None:
    """Each has its level, time, sentence, rule and id."""
    for number, level in ((1, "high"), (2, "low")):
        store.command(
            f"INSERT INTO {store.database}.alerts (alert_id, level, sentence, occurred_at) "
            f"VALUES ('00000000-0000-0000-0000-00000000000{number}', '{level}', 'Did {number}', "
            f"'2026-03-14 02:13:0{number}')"
        )
    rows = json.loads(auditstream("alerts", "list", "-f", "json").out)
    assert [(row["level"], row["sentence"]) for row in rows] == [
        ("low", "Did 2"),
        ("high", "Did 1"),
    ]
    assert "Did 1" in auditstream("alerts", "list").out
    assert "Did 1" not in auditstream("alerts", "list", "--limit", "1").out


def test_migrate_may_be_run_again(auditstream: Command, services: Settings) -> None:
    """Tables and topics that are there are left alone."""
    outcome = auditstream("migrate", "--topics")
    assert (outcome.code, outcome.out.splitlines()) == (
        0,
        ["topics made: none was missing", "tables of audit are up to date"],
    )
