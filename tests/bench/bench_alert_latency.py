"""How long it takes from an event to its alert on the topic, and to a webhook.

    python -m tests.bench.bench_alert_latency --rate 5000 --seconds 30

Starts a real Kafka, a real ClickHouse, a worker and a notifier; publishes the events of a service
at a rate, one in a hundred of which raises an alert of its own; and reads the alerts topic beside.
Prints p50 and p99 from the moment an event was handed to its producer: to the alert's arrival at a
reader of the topic, and to its arrival at a webhook; and the processor time of each part meanwhile.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import fastavro
from confluent_kafka import Consumer, Producer

from auditstream.alerts.topic import decode_alert
from auditstream.contract.ids import uuid7
from auditstream.contract.schemas import frame, parsed_schema, shipped_id
from auditstream.kafka_config import kafka_config
from tests.alerts.receiver import Receiver, receiving
from tests.bench.bench_worker import cpu_seconds
from tests.faults.test_notifier_killed import config
from tests.harness.system import System
from tests.stack.clickhouse import ClickHouseServer
from tests.stack.kafka import KafkaServer

ALERTING = 100
"""One of so many events raises an alert."""
BURST_SECONDS = 0.01


def event(number: int, epoch: int) -> tuple[str, bytes, bytes]:
    """Return id, key and value of an event: a Manage grant now and then, else a View grant."""
    event_id = str(uuid7())
    datum = BytesIO()
    envelope = {
        "event_id": event_id,
        "action": "connection_member_added_with_role",
        "occurred_at": datetime.now(UTC),
        "workspace_id": f"w-{number % 48}",
        "workspace_username": "acme",
        "actor": {"type": "user", "id": f"u-{number % 200}", "username": "admin"},
        "entity": {"type": "workspace_connection", "id": f"c-{number % 500}", "name": "Warehouse"},
        "member": {"id": f"m-{number}", "username": f"member-{number}"},
        "role": "manage" if number % ALERTING == 0 else "view",
        "source": {"service": "bench", "epoch": epoch, "sequence": number + 1},
    }
    fastavro.schemaless_writer(datum, parsed_schema("audit_event"), envelope)
    value = frame(shipped_id("audit_event"), datum.getvalue())
    return event_id, str(envelope["workspace_id"]).encode(), value


def publish(system: System, rate: int, seconds: float, first: int) -> dict[str, float]:
    """Publish at a rate; return when each alerting event was handed to the producer.

    Events are numbered from `first` on: a number is a member, and so an alert, of its own.
    """
    producer = Producer(
        kafka_config(system.settings)
        | {"linger.ms": 5, "partitioner": "murmur2_random", "compression.type": "lz4"}
    )
    handed: dict[str, float] = {}
    epoch = time.time_ns() // 1000
    started = time.time()
    number = first
    while time.time() < started + seconds:
        while number - first < (time.time() - started) * rate:
            event_id, key, value = event(number, epoch)
            if number % ALERTING == 0:
                handed[event_id] = time.time()
            producer.produce(system.settings.events_topic, value, key)
            number += 1
        producer.poll(0)
        time.sleep(BURST_SECONDS)
    producer.flush(30)
    count = number - first
    say(f"published {count:,} events, {count / seconds:,.0f} a second")
    return handed


def follow(system: System, arrivals: dict[str, float], stop: threading.Event) -> None:
    """Note when the alert of each event comes from the topic."""
    consumer = Consumer(
        kafka_config(system.settings)
        | {"group.id": "bench", "auto.offset.reset": "earliest", "fetch.wait.max.ms": 100}
    )
    consumer.subscribe([system.settings.alerts_topic])
    while not stop.is_set():
        message = consumer.poll(0.1)
        if message is not None and message.error() is None:
            now = time.time()
            for item in decode_alert(message.value()).evidence:
                arrivals.setdefault(item.event_id, now)
    consumer.close()


def webhook_arrivals(receiver: Receiver) -> dict[str, float]:
    """Return when the webhook was told of each event."""
    found: dict[str, float] = {}
    for request in list(receiver.taken):
        for alert in request.document["data"]["alerts"]:
            for item in alert["evidence"]:
                found.setdefault(item["event_id"], request.at)
    return found


def report(name: str, handed: dict[str, float], arrivals: dict[str, float]) -> None:
    """Print the percentiles of the way from `handed` to `arrivals`."""
    waits = sorted(
        arrivals[event_id] - at for event_id, at in handed.items() if event_id in arrivals
    )
    cuts = statistics.quantiles(waits, n=100)
    say(
        f"{name}: {len(waits):,} of {len(handed):,}, p50 {cuts[49] * 1000:,.0f} ms, "
        f"p99 {cuts[98] * 1000:,.0f} ms, longest {waits[-1] * 1000:,.0f} ms"
    )


def main() -> None:
    """Run the benchmark once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=5_000)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--warm-up", type=float, default=5.0)
    options = parser.parse_args()
    arrivals: dict[str, float] = {}
    stop = threading.Event()
    with (
        tempfile.TemporaryDirectory() as name,
        KafkaServer(Path(name) / "kafka") as kafka,
        ClickHouseServer(Path(name) / "clickhouse") as clickhouse,
        System(kafka.bootstrap, clickhouse.url, Path(name)) as system,
        receiving() as receiver,
    ):
        reader = threading.Thread(target=follow, args=(system, arrivals, stop))
        reader.start()
        system.worker()
        system.notifier(config=config(receiver))
        publish(system, options.rate, options.warm_up, 0)
        time.sleep(5)
        before = cpu_seconds()
        handed = publish(system, options.rate, options.seconds, 10_000_000)
        used = {part: used - before.get(part, 0.0) for part, used in cpu_seconds().items()}
        deadline = time.time() + 60
        while time.time() < deadline and not handed.keys() <= webhook_arrivals(receiver).keys():
            time.sleep(0.2)
        report("event to alert on the topic", handed, arrivals)
        report("event to webhook", handed, webhook_arrivals(receiver))
        hooks = webhook_arrivals(receiver)
        on_topic = {event_id: at for event_id, at in arrivals.items() if event_id in handed}
        report("alert on the topic to webhook", on_topic, hooks)
        for part, cpu in used.items():
            say(f"processor time of {part}: {cpu / options.seconds:.0%} of a core")
        stop.set()
        reader.join()


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
