"""Which demo or `up` runs on this machine, so that other commands find it by themselves."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import IO

import platformdirs

from auditstream.settings import Settings


@dataclass(frozen=True)
class Running:
    """A stack that runs: the command and process that keep it up, and where its services are."""

    command: str
    pid: int
    kafka_brokers: str
    clickhouse_url: str


def directory() -> Path:
    """Return where running stacks of this user are noted."""
    return platformdirs.user_state_path("auditstream", appauthor=False) / "running-stacks"


@contextmanager
def announced(command: str, settings: Settings) -> Iterator[Running]:
    """Note a stack as running within the `with` block, and for no longer than this process."""
    running = Running(command, os.getpid(), settings.kafka_brokers, settings.clickhouse_url)
    directory().mkdir(parents=True, exist_ok=True, mode=0o700)
    path = directory() / f"{running.pid}.json"
    with path.open("w") as file:
        # The lock ends with the process, however that ends; its id may be another's later.
        fcntl.flock(file, fcntl.LOCK_EX)
        json.dump(asdict(running), file)
        file.flush()
        try:
            yield running
        finally:
            path.unlink(missing_ok=True)


def find_running() -> Running | None:
    """Return the stack that was started last, None when none runs; notes of dead ones go."""
    if not directory().is_dir():
        return None
    found: list[tuple[float, Running]] = []
    for path in directory().glob("*.json"):
        try:
            with path.open() as file:
                if not _is_locked(file):
                    path.unlink(missing_ok=True)
                    continue
                found.append((path.stat().st_mtime, _read(file)))
        except (OSError, ValueError, KeyError):
            continue
    return max(found, key=lambda item: item[0])[1] if found else None


def _is_locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _read(file: IO[str]) -> Running:
    document = json.load(file)
    return Running(**{field.name: document[field.name] for field in fields(Running)})
