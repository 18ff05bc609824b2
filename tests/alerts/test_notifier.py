from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

from rich.console import Console

from auditstream.alerts.notifier import Notifier
from auditstream.alerts.records import Record, send_records
from auditstream.alerts.topic import encode_alert
from auditstream.alerts.topics import ensure_topics
from auditstream.contract.alert import Alert
from auditstream.embedded import Broker
from auditstream.settings import Settings, load_settings
from auditstream.store.connection import Store, connect
from tests.alerts.samples import alert
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
