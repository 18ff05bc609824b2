"""The notifier: reads the alerts topic and prints each alert once."""

from __future__ import annotations

import signal
import sys
import threading
from collections import OrderedDict
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message
from rich.console import Console

from auditstream.alerts.console import print_alert
from auditstream.alerts.topic import AlertRecordError, decode_alert
from auditstream.errors import ServiceUnavailableError
from auditstream.kafka_config import kafka_config
from auditstream.settings import Settings

REMEMBERED: Final = 100_000
BATCH: Final = 500
POLL_SECONDS: Final = 0.5
METADATA_SECONDS: Final = 5


class Notifier:
    """Prints the alerts of the alerts topic on `console`, and what goes wrong on `errors`.

    An alert's offset is committed after it was printed: a notifier that is killed in between
    prints it again when it starts, none is left out. Within one process an alert id is printed
    once, as long as it is among the last 100,000.
    """

    def __init__(self, settings: Settings, console: Console, errors: Console) -> None:
        self._settings = settings
        self._console = console
        self._errors = errors
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._reported: set[int] = set()

    def run(self, stop: threading.Event) -> None:
        """Print alerts until `stop` is set; returns within seconds of that.

        Waits for as long as Kafka is away or has no alerts topic yet. A record that is not an
        alert is reported and passed over.

        Raises:
            ServiceUnavailableError: Kafka has refused the consumer for good.
        """
        consumer = Consumer(self._config())
        try:
            consumer.subscribe([self._settings.alerts_topic])
            while not stop.is_set():
                self._turn(consumer)
        finally:
            consumer.close()

    def _turn(self, consumer: Consumer) -> None:
        messages = consumer.consume(BATCH, POLL_SECONDS)
        for message in messages:
            error = message.error()
            if error is not None:
                self._report(error)
            else:
                self._print(message)
        if any(message.error() is None for message in messages):
            self._commit(consumer)

    def _print(self, message: Message) -> None:
        self._reported.clear()
        try:
            alert = decode_alert(message.value())
        except AlertRecordError as error:
            where = f"{message.topic()}, partition {message.partition()}, offset {message.offset()}"
            self._say(f"{where}: {error}")
            return
        if alert.alert_id in self._seen:
            return
        print_alert(self._console, alert)
        self._seen[alert.alert_id] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)

    def _commit(self, consumer: Consumer) -> None:
        try:
            consumer.commit(asynchronous=False)
        except KafkaException as error:
            # The next commit covers it; until then a restart would repeat these alerts.
            self._report(error.args[0])

    def _report(self, error: KafkaError) -> None:
        """Say an error once, until a record has come again."""
        if error.fatal():
            raise ServiceUnavailableError(
                f"Kafka at {self._settings.kafka_brokers} refuses the notifier: {error.str()}"
            )
        if error.code() not in self._reported:
            self._reported.add(error.code())
            self._say(f"Kafka at {self._settings.kafka_brokers}: {error.str()}")

    def _say(self, text: str) -> None:
        self._errors.print(text, markup=False, highlight=False, soft_wrap=True)

    def _config(self) -> dict[str, Any]:
        session = int(self._settings.session_timeout_seconds * 1000)
        return kafka_config(self._settings) | {
            "group.id": self._settings.notifier_group,
            "session.timeout.ms": session,
            "heartbeat.interval.ms": max(session // 10, 100),
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "topic.metadata.refresh.interval.ms": METADATA_SECONDS * 1000,
            "error_cb": self._report_from_client,
            "log_level": 0,
        }

    def _report_from_client(self, error: KafkaError) -> None:
        if not error.fatal():
            self._report(error)


def run(settings: Settings) -> None:
    """Print alerts on standard output until SIGTERM or SIGINT; blocks."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    Notifier(settings, Console(), Console(file=sys.stderr)).run(stop)
