from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from auditstream.alerts import life_cycle, silences
from auditstream.alerts.dead_letters import retry_dead
from auditstream.alerts.notifier import Notifier
from auditstream.alerts.records import Record, send_records
from auditstream.alerts.topic import encode_alert
from auditstream.alerts.topics import ensure_topics
from auditstream.contract.alert import Alert
from auditstream.embedded import Broker, ClickHouse
from auditstream.embedded.ports import free_port
from auditstream.notifier_settings import NotifierSettings
from auditstream.settings import Settings, load_settings
from auditstream.store.alert_deliveries import list_dead, list_deliveries, list_held
from auditstream.store.alerts import append_alerts
from auditstream.store.connection import Store, connect
from auditstream.store.migrate import migrate
from tests.alerts.receiver import SECRET, Receiver, receiving
from tests.alerts.samples import OCCURRED, alert
from tests.stack.poll import eventually


class Running:
    """A notifier on a thread, and what it has printed."""

    def __init__(self, settings: Settings) -> None:
        self._out, self._errors, self._stop = StringIO(), StringIO(), threading.Event()
        consoles = (Console(file=file, width=500) for file in (self._out, self._errors))
        self._store = connect(settings)
        notifier = Notifier(settings, self._store, *consoles)
        self.thread = threading.Thread(target=notifier.run, args=(self._stop,))

    @property
    def lines(self) -> list[str]:
        """Lines on the console."""
        return self._out.getvalue().splitlines()

    @property
    def errors(self) -> list[str]:
        """Lines about what went wrong."""
        return self._errors.getvalue().splitlines()

    def wait_for(self, count: int) -> None:
        """Wait until so many alerts are printed."""
        eventually(lambda: len(self.lines) >= count, within=30, what=f"{count} alerts")

    def stop(self) -> None:
        """Tell it to stop, which takes seconds at most."""
        self._stop.set()
        self.thread.join(15)
        assert not self.thread.is_alive()
        self._store.close()


@contextmanager
def running(settings: Settings) -> Iterator[Running]:
    notifier = Running(settings)
    notifier.thread.start()
    try:
        yield notifier
    finally:
        notifier.stop()


def send(settings: Settings, *alerts: Alert) -> None:
    records = (
        Record(key, value, tuple(headers)) for key, value, headers in map(encode_alert, alerts)
    )
    send_records(settings, settings.alerts_topic, records)


def test_each_alert_is_printed_once(settings: Settings, store: Store) -> None:
    """A repeated id prints one line, alerts before and after it print theirs."""
    send(settings, alert(1), alert(2), alert(1))
    with running(settings) as notifier:
        notifier.wait_for(2)
        send(settings, alert(2), alert(3))
        notifier.wait_for(3)
    assert [line[-1] for line in notifier.lines] == ["1", "2", "3"]


def test_restart_goes_on_where_it_was(settings: Settings, store: Store) -> None:
    """What one notifier has printed, the next of its group does not print again."""
    send(settings, alert(1))
    with running(settings) as first:
        first.wait_for(1)
    send(settings, alert(2))
    with running(settings) as second:
        second.wait_for(1)
    assert [line[-1] for line in second.lines] == ["2"]


def test_what_is_no_alert_is_reported_and_passed_over(settings: Settings, store: Store) -> None:
    """A record that is not an alert says where it stands, and the next alert is printed."""
    send_records(settings, settings.alerts_topic, [Record(b"k", b"not an alert")])
    send(settings, alert(1))
    with running(settings) as notifier:
        notifier.wait_for(1)
    (error,) = notifier.errors
    assert error.startswith(f"{settings.alerts_topic}, partition 0, offset 0: not an alert")


def test_broker_may_go_and_come_back(tmp_path: Path, store: Store) -> None:
    """A broker that dies is reported once; alerts after its return are printed."""
    with Broker(log_path=tmp_path / "broker.log") as broker:
        settings = load_settings(
            kafka_brokers=broker.bootstrap,
            clickhouse_url=store.url,
            clickhouse_database=store.database,
            session_timeout_seconds=6.0,
        )
        ensure_topics(settings, 1)
        send(settings, alert(1))
        with running(settings) as notifier:
            notifier.wait_for(1)
            broker.kill()
            eventually(lambda: notifier.errors, within=30, what="a word about the broker")
            broker.start()
            ensure_topics(settings, 1)
            send(settings, alert(2))
            notifier.wait_for(2)
        assert [line[-1] for line in notifier.lines] == ["1", "2"]
        assert settings.kafka_brokers in notifier.errors[0]


def test_process_prints_plain_lines_and_ends_on_sigterm(settings: Settings, store: Store) -> None:
    """As a process in a pipe it prints each alert as it comes, and SIGTERM ends it with 0."""
    environment = os.environ | {
        f"AUDITSTREAM_{name.upper()}": str(getattr(settings, name))
        for name in settings.model_fields_set
    }
    send(settings, alert(1))
    with subprocess.Popen(
        [sys.executable, "-m", "auditstream.cli", "notifier"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert process.stderr.read() == ""
    assert line.startswith("HIGH  2026-03-14 02:13:41 UTC  ada.khan")
    assert "\x1b" not in line


def configured(settings: Settings, receiver: Receiver, **notifier: Any) -> Settings:
    """Settings that send to a receiver, with short waits."""
    hook = {"type": "webhook", "url": receiver.url, "secret": SECRET, "rate_per_minute": 6_000}
    section = {
        "destinations": {"hook": hook},
        "tick_seconds": 0.1,
        "first_retry_seconds": 0.1,
        "longest_retry_seconds": 0.2,
    } | notifier
    made = NotifierSettings.model_validate(section)
    return settings.model_copy(update={"notifier": made})


def wait_for(receiver: Receiver, *numbers: int) -> None:
    """Wait until exactly these alerts were taken."""
    expected = [alert(number).alert_id for number in numbers]
    eventually(
        lambda: sorted(receiver.alert_ids) == expected, within=30, what=f"{len(numbers)} alerts"
    )


def test_what_was_not_delivered_is_by_the_next_notifier(settings: Settings, store: Store) -> None:
    """An alert that a destination did not take before the notifier ended is delivered later."""
    with receiving() as receiver:
        receiver.answers = [(503, {})] * 1_000
        with running(configured(settings, receiver)):
            send(settings, alert(1))
            eventually(lambda: receiver.requests, within=30, what="an attempt")
        receiver.answers.clear()
        with running(configured(settings, receiver)):
            wait_for(receiver, 1)
        first, *_, last = receiver.requests
        assert first.headers["webhook-id"] == last.headers["webhook-id"]
    states = [row.state for row in list_deliveries(store, alert(1).alert_id)]
    assert (states[0], states[-1]) == ("planned", "delivered")


def test_silence_hides_and_is_reported(settings: Settings, store: Store) -> None:
    """A silence made while the notifier runs hides alerts, and says later which."""
    with receiving() as receiver, running(configured(settings, receiver)):
        send(settings, alert(1))
        wait_for(receiver, 1)
        until = datetime.now(UTC) + timedelta(hours=1)
        made = silences.silence(
            store, until=until, author="grace", reason="planned", rule_id="hushed"
        )
        hushed = [alert(n, rule_id="hushed", group_key=str(n)) for n in range(2, 60)]

        def one_is_held() -> bool:
            # Sent one after the other until the silence is known to the notifier.
            send(settings, hushed.pop(0))
            return bool(list_held(store, OCCURRED, 10, ["silenced"]))

        eventually(one_is_held, within=30, what="a silenced alert")
        silences.unsilence(store, made.silence_id, "grace")
        (report,) = silences.report(store, OCCURRED)
    assert report.alerts >= 1
    assert report.levels == {"high": report.alerts}
    assert report.newest[0].rule_id == "hushed"
    assert report.silence.cancelled


def test_unacknowledged_alert_is_escalated_once(settings: Settings, store: Store) -> None:
    """Nobody acknowledges one of two alerts: it is told to the second destination, and once."""
    with receiving() as first, receiving() as second:
        boss = {"type": "webhook", "url": second.url, "secret": SECRET}
        hook = {"type": "webhook", "url": first.url, "secret": SECRET}
        configuration = configured(
            settings,
            first,
            destinations={"hook": hook, "boss": boss},
            default=["hook"],
            escalation={"high": {"after_minutes": 0.02, "to": ["boss"]}},
        )
        append_alerts(store, [alert(1), alert(2, group_key="g")], threading.Event())
        life_cycle.acknowledge(store, alert(2).alert_id, "grace")
        with running(configuration):
            send(settings, alert(1), alert(2, group_key="g"))
            wait_for(first, 1, 2)
            wait_for(second, 1)
            life_cycle.acknowledge(store, alert(1).alert_id, "grace")
            life_cycle.reopen(store, alert(1).alert_id, "grace")
            wait_for(second, 1, 1)
        assert [item.document["data"]["kind"] for item in second.taken] == ["escalation"] * 2


def test_dead_letter_is_delivered_after_retry(settings: Settings, store: Store) -> None:
    """What was refused for good is listed, and delivered when it is tried again."""
    with receiving() as receiver, running(configured(settings, receiver)):
        receiver.answers = [(410, {})]
        send(settings, alert(1))
        (dead,) = eventually(lambda: list_dead(store, 10), within=30, what="a dead letter")
        assert "410" in dead.error
        retry_dead(store, [dead])
        wait_for(receiver, 1)
        eventually(lambda: not list_dead(store, 10), within=10, what="no dead letter")
    assert len(receiver.taken) == 1


def test_digest_is_sent_by_the_next_notifier(settings: Settings, store: Store) -> None:
    """Alerts gathered for a digest outlive the notifier that gathered them."""
    routes = [{"levels": ["low"], "to": ["hook"], "digest_minutes": 0.05}]
    with receiving() as receiver:
        lows = [alert(n, level="low", group_key=str(n)) for n in range(3)]
        with running(configured(settings, receiver, routes=routes)):
            send(settings, *lows)
            eventually(
                lambda: list_deliveries(store, lows[2].alert_id), within=30, what="a planned digest"
            )
        with running(configured(settings, receiver, routes=routes)):
            wait_for(receiver, 0, 1, 2)
    assert {item.document["data"]["kind"] for item in receiver.taken} <= {"digest"}


def test_alerts_are_delivered_while_clickhouse_is_away(
    settings: Settings, tmp_path: Path, broker: Broker
) -> None:
    """Paging does not wait for the ledger, which is written when ClickHouse is back."""
    directory = tmp_path / "own"
    with receiving() as receiver, ClickHouse(directory, log_path=tmp_path / "log") as clickhouse:
        settings = settings.model_copy(
            update={"clickhouse_url": clickhouse.url, "append_timeout_seconds": 2.0}
        )
        with connect(settings) as store:
            migrate(store, 0)
            with running(configured(settings, receiver)):
                send(settings, alert(1))
                wait_for(receiver, 1)
                clickhouse.stop()
                send(settings, alert(2, group_key="g"))
                wait_for(receiver, 1, 2)
                clickhouse.start()
                store.close()
                eventually(
                    lambda: list_deliveries(store, alert(2).alert_id), within=30, what="its rows"
                )
            with running(configured(settings, receiver)):
                send(settings, alert(3, group_key="h"))
                wait_for(receiver, 1, 2, 3)


def test_no_secret_in_logs_of_failing_deliveries(
    settings: Settings, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """A refusing webhook and a dead Apprise service are reported without address and secret."""
    caplog.set_level(logging.DEBUG)
    with receiving() as receiver:
        receiver.answers = [(500, dict[str, str]())] * 3 + [(403, {})]
        hook = {"type": "webhook", "url": receiver.url, "secret": SECRET}
        chat = {
            "type": "apprise",
            "url": f"json://user:hunter2pass@127.0.0.1:{free_port()}/hunter2path?+X-Key=hunter2key",
        }
        configuration = configured(settings, receiver, destinations={"hook": hook, "chat": chat})
        with running(configuration) as notifier:
            send(settings, alert(1))
            eventually(
                lambda: {"hook", "chat"} <= {e.split()[1][:-1] for e in notifier.errors if e},
                within=30,
                what="errors of both destinations",
            )
            eventually(lambda: list_dead(store, 1), within=30, what="a dead letter")
            errors = "\n".join(notifier.errors)
    rows = "".join(row.error for row in list_deliveries(store, alert(1).alert_id))
    ours = "\n".join(
        record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING
    )
    for text in (errors, rows, ours, repr(configuration), as_text(configuration)):
        assert "hunter2" not in text
        assert "topsecretpath" not in text
        assert SECRET not in text


def as_text(settings: Settings) -> str:
    """Settings as `auditstream config` and a log would show them."""
    return f"{settings} {settings.model_dump_json()}"
