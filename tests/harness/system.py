"""One system under test: topics and tables of its own, workers, producers, and the oracle.

The oracle is what producers were told: every accepted event is in the table once, or it is in
the rejects, and nothing else is there.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from auditstream.alerts.topics import ensure_topics
from auditstream.settings import Settings
from auditstream.store.connection import Store, connect
from auditstream.store.migrate import migrate
from tests.stack.poll import eventually
from tests.stack.process import Process


@dataclass
class Accepted:
    """What the producers were told."""

    events: set[str] = field(default_factory=set)
    repeats: int = 0
    bad: Counter[str] = field(default_factory=Counter)

    @classmethod
    def read(cls, records: Sequence[Path]) -> Accepted:
        """Read the producers' records; a line cut off by a kill was not told."""
        told = cls()
        for line in (line for path in records for line in _whole_lines(path)):
            kind, _, value = line.partition(" ")
            if kind == "ok":
                told.events.add(value)
            elif kind == "repeat":
                told.repeats += 1
            elif kind == "bad":
                told.bad[value] += 1
        return told


class System:
    """Workers and producers on a given Kafka and ClickHouse, apart from every other test."""

    def __init__(self, brokers: str, clickhouse_url: str, directory: Path, **settings: object):
        name = f"t{uuid4().hex[:10]}"
        self.directory = directory
        self.records: list[Path] = []
        self.processes: list[Process] = []
        overrides: dict[str, object] = {
            "kafka_brokers": brokers,
            "clickhouse_url": clickhouse_url,
            "clickhouse_database": name,
            "consumer_group": name,
            "notifier_group": f"{name}-notifier",
            "events_topic": f"{name}.events",
            "alerts_topic": f"{name}.alerts",
            "rejected_topic": f"{name}.rejected",
            "session_timeout_seconds": 6.0,
            "drain_seconds": 5.0,
            "append_timeout_seconds": 5.0,
            **settings,
        }
        self.settings = Settings(**overrides)  # type: ignore[arg-type]
        self.environment = os.environ | {
            f"AUDITSTREAM_{key.upper()}": str(value) for key, value in overrides.items()
        }
        self.store: Store = connect(self.settings)

    def __enter__(self) -> System:
        ensure_topics(self.settings, self.settings.topic_partitions)
        migrate(self.store, self.settings.retention_days)
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.kill()
        self.store.close()

    def worker(self, name: str = "worker", **settings: object) -> Process:
        """Start a worker; `settings` are its own, in place of the system's."""
        environment = {f"AUDITSTREAM_{key.upper()}": str(value) for key, value in settings.items()}
        return self._start(name, [sys.executable, "-m", "auditstream.cli", "worker"], environment)

    def notifier(self, name: str = "notifier", config: str = "") -> Process:
        """Start a notifier with a settings file of this text."""
        path = self.directory / f"{name}.toml"
        path.write_text(config)
        command = [sys.executable, "-m", "auditstream.cli", "notifier"]
        return self._start(name, command, {"AUDITSTREAM_CONFIG": str(path)})

    def producer(
        self, count: int, *, rate: float = 0.0, seed: int = 1, name: str = "producer"
    ) -> Process:
        """Start a producer of `count` events, `rate` a second (0: as fast as it can)."""
        record = self.directory / f"{name}-{seed}-{len(self.records)}.txt"
        record.touch()
        self.records.append(record)
        command = [sys.executable, "-m", "tests.harness.producer_main", "--record", record]
        command += ["--count", count, "--rate", rate, "--seed", seed]
        environment = {
            "AUDITSTREAM_SERVICE": f"{name}-{seed}",
            "AUDITSTREAM_SPOOL_DIR": str(self.directory / "spool"),
        }
        return self._start(f"{name}-{seed}", [str(part) for part in command], environment)

    def ended(self, producer: int = -1) -> bool:
        """Whether a producer has sent all it was to send."""
        return self.records[producer].read_text().endswith("end\n")

    def accepted(self) -> Accepted:
        """Return what the producers have been told so far."""
        return Accepted.read(self.records)

    def count(self, table: str = "events") -> int:
        """Return how many rows a table has."""
        return int(self.ask(f"SELECT count() FROM {table}")[0][0])

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query on the test's own database."""
        table = self.settings.clickhouse_database
        for name in ("events", "rejected_events", "alerts"):
            query = query.replace(f"FROM {name}", f"FROM {table}.{name}")
        return self.store.query_frame(query).rows()

    def settle(self, within: float = 60.0) -> None:
        """Wait until everything that was accepted is stored or rejected; then `verify`."""
        told = self.accepted()
        eventually(
            lambda: (
                self.count() >= len(told.events)
                and self.count("rejected_events") >= sum(told.bad.values())
            ),
            within=within,
            what=f"{len(told.events)} events and {sum(told.bad.values())} rejects in the tables",
        )
        self.verify()

    def verify(self) -> None:
        """Compare the tables with what the producers were told.

        A producer that was killed may have sent one event whose acceptance it did not note.
        """
        told = self.accepted()
        rows = self.ask("SELECT toString(event_id), kafka_partition, kafka_offset FROM events")
        ids = [str(row[0]) for row in rows]
        missing = told.events - set(ids)
        twice = len(ids) - len(set(ids))
        lost = f"{len(missing)} accepted events are lost, e.g. {sorted(missing)[:3]}"
        assert not missing, f"{lost}; {twice} are stored twice"
        assert not twice, f"{twice} events are stored twice"
        places = {row[1:] for row in rows}
        assert len(places) == len(rows), "an offset is stored twice"
        unknown = set(ids) - told.events
        killed = sum(not path.read_text().endswith("end\n") for path in self.records)
        assert len(unknown) <= killed, f"{len(unknown)} stored events were never accepted"
        rejects = self.ask("SELECT reason, kafka_partition, kafka_offset FROM rejected_events")
        assert len({row[1:] for row in rejects}) == len(rejects), "a reject is stored twice"
        found = Counter(str(row[0]) for row in rejects)
        assert found >= told.bad if killed else found == told.bad

    def _start(
        self, name: str, command: list[str], environment: dict[str, str] | None = None
    ) -> Process:
        log = self.directory / f"{name}-{len(self.processes)}.log"
        root = Path(__file__).parents[2]
        process = Process(command, log=log, cwd=root, env=self.environment | (environment or {}))
        process.start()
        self.processes.append(process)
        return process


def _whole_lines(path: Path) -> list[str]:
    text = path.read_text()
    return text[: text.rfind("\n") + 1].splitlines()
