"""How long `emit` takes, with the broker up, down and hanging, in each durability.

Run it from the project's root: `python -m tests.bench.bench_emit [--seconds N] [--rate N]`.
Prints one line for each case: percentiles at the given rate, and the highest rate of one thread.
"""

from __future__ import annotations

import argparse
import gc
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from auditstream import Actor, AuditLog, Durability, Group, Ref, Workspace
from auditstream.embedded.broker import Broker

TOPIC = "audit.events"
PERCENTILES = (0.5, 0.99, 0.999, 1.0)


def main() -> None:
    """Measure every case and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="length of a case")
    parser.add_argument("--rate", type=int, default=1_000, help="events a second")
    parser.add_argument("--fastest", type=int, default=20_000, help="events at full speed")
    arguments = parser.parse_args()
    _print("broker    durability   p50 µs   p99 µs p99.9 µs   max µs  events/s at most")
    for broker, address in (("up", _up), ("down", _down), ("hanging", _hanging)):
        for durability in get_args(Durability):
            with address() as brokers, tempfile.TemporaryDirectory() as directory:
                audit = AuditLog(
                    service="bench",
                    kafka_brokers=brokers,
                    spool_dir=Path(directory),
                    durability=durability,
                    close_seconds=0,
                )
                with audit:
                    _emit(audit, 0)
                    paced = sorted(_paced(audit, arguments.rate, arguments.seconds))
                    fastest = _fastest(audit, arguments.fastest)
                figures = [paced[round(share * (len(paced) - 1))] / 1e3 for share in PERCENTILES]
                shown = " ".join(f"{figure:8.0f}" for figure in figures)
                _print(f"{broker:9} {durability:10} {shown} {fastest:12,.0f}")


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _paced(audit: AuditLog, rate: int, seconds: float) -> Iterator[int]:
    """Emit at a steady rate; yield the nanoseconds of each call."""
    start = time.perf_counter()
    for number in range(int(rate * seconds)):
        time.sleep(max(0.0, start + number / rate - time.perf_counter()))
        before = time.perf_counter_ns()
        _emit(audit, number)
        yield time.perf_counter_ns() - before


def _fastest(audit: AuditLog, events: int) -> float:
    gc.collect()
    start = time.perf_counter()
    for number in range(events):
        _emit(audit, number)
    return events / (time.perf_counter() - start)


def _emit(audit: AuditLog, number: int) -> None:
    audit.connection_group_added_with_role(
        workspace=Workspace(f"workspace-{number % 50}", "acme"),
        actor=Actor("user-1", username="ana", email="ana@acme.test", ip="192.0.2.7"),
        connection=Ref("connection-1", "warehouse"),
        group=Group("group-1", "analysts"),
        role="manage",
    )


@contextmanager
def _up() -> Iterator[str]:
    with (
        tempfile.TemporaryDirectory() as directory,
        Broker(log_path=Path(directory) / "broker.log") as broker,
    ):
        admin = AdminClient({"bootstrap.servers": broker.bootstrap})
        admin.create_topics([NewTopic(TOPIC, 6, 1)])[TOPIC].result(10)
        yield broker.bootstrap


@contextmanager
def _down() -> Iterator[str]:
    yield "127.0.0.1:1"


@contextmanager
def _hanging() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


if __name__ == "__main__":
    main()
