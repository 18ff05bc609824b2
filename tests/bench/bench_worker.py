"""How fast a worker stores a backlog of the story's events, on a real Kafka and ClickHouse.

    python -m tests.bench.bench_worker --events 1000000

Publishes a backlog, starts one worker, and takes the time from its start until the last event
is in the table. Then compares the table with what was published. Prints events a second, the
worker's largest resident memory, the rate after the first append, and the processor time of each
part.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import fastavro
import psutil
from confluent_kafka import Producer

from auditstream.alerts.records import Record, send_records
from auditstream.contract.schemas import frame, parsed_schema, shipped_id
from auditstream.story.story import Story
from tests.harness.system import System
from tests.stack.clickhouse import ClickHouseServer
from tests.stack.kafka import KafkaServer

LIMIT_SECONDS = 300.0


def publish(system: System, story: Story) -> None:
    """Write the whole story to the events topic."""
    producer = Producer(
        {
            "bootstrap.servers": system.settings.kafka_brokers,
            "linger.ms": 20,
            "compression.type": "zstd",
            "partitioner": "murmur2_random",
            "queue.buffering.max.messages": 500_000,
            "queue.buffering.max.kbytes": 500_000,
        }
    )
    schema, schema_id = parsed_schema("audit_event"), shipped_id("audit_event")
    source = {"service": "story", "version": None, "instance": None, "epoch": 1}
    for number, entry in enumerate(story.entries(), start=1):
        datum = BytesIO()
        envelope = {**entry.datum, "source": {**source, "sequence": number}}
        fastavro.schemaless_writer(datum, schema, envelope)
        value = frame(schema_id, datum.getvalue())
        while True:
            try:
                producer.produce(
                    system.settings.events_topic, value, envelope["workspace_id"].encode()
                )
                break
            except BufferError:
                producer.poll(0.1)
    producer.flush(120)
    bad = (Record(record.key, record.value) for record in story.malformed())
    send_records(system.settings, system.settings.events_topic, bad)


def main() -> None:
    """Run the benchmark once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    story = Story(options.seed, options.events, datetime.now(UTC))
    expected = story.expected()
    with (
        tempfile.TemporaryDirectory() as name,
        KafkaServer(Path(name) / "kafka") as kafka,
        ClickHouseServer(Path(name) / "clickhouse") as clickhouse,
        System(kafka.bootstrap, clickhouse.url, Path(name)) as system,
    ):
        publish(system, story)
        say(f"published {expected.published:,} records; expected {expected}")
        started = time.monotonic()
        before = cpu_seconds()
        worker = system.worker()
        process = psutil.Process(worker.pid)
        first: tuple[float, int] | None = None
        largest, stored = 0.0, 0
        while stored < expected.stored and time.monotonic() < started + LIMIT_SECONDS:
            time.sleep(0.2)
            stored = system.count()
            if first is None and stored:
                first = time.monotonic(), stored
            largest = max(largest, process.memory_info().rss)
        seconds = time.monotonic() - started
        say(f"stored {stored:,} in {seconds:.1f} s: {stored / seconds:,.0f} events/s")
        if first is not None:
            rate = (stored - first[1]) / (started + seconds - first[0])
            say(f"first append after {first[0] - started:.1f} s; from then on {rate:,.0f} events/s")
        say(f"largest resident memory of the worker: {largest / 2**20:,.0f} MiB")
        used = {name: used - before.get(name, 0.0) for name, used in cpu_seconds().items()}
        for name, cpu in used.items():
            say(f"processor time of {name}: {cpu:.1f} s, {cpu / stored * 1e6:.1f} µs an event")
        code = worker.stop(within=30)
        rejected, alerts = system.count("rejected_events"), system.count("alerts")
        ids = system.ask("SELECT uniqExact(event_id) FROM events")[0][0]
        say(f"rejected {rejected}, alerts {alerts}, distinct ids {ids:,}, exit code {code}")
        for log in Path(name).glob("worker*.log"):
            failures = [line for line in log.read_text().splitlines() if '"info"' not in line]
            say("\n".join(failures[:20]))


def cpu_seconds() -> dict[str, float]:
    """Return the processor seconds of this process and its children, by what they are.

    What the rest of the machine has used is in it as well: a run beside other work says little.
    """
    machine = psutil.cpu_times()
    used = {"the rest of the machine": sum(machine) - machine.idle - machine.iowait}
    for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
        words = " ".join(process.cmdline())
        names = {"kafka.Kafka": "Kafka", "clickhouse_main": "ClickHouse", " worker": "worker"}
        name = next((name for word, name in names.items() if word in words), "benchmark")
        times = process.cpu_times()
        used[name] = used.get(name, 0.0) + times.user + times.system
        used["the rest of the machine"] -= times.user + times.system
    return used


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
