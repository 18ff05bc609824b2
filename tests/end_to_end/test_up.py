"""`auditstream up` on a directory that stays, over restarts."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.stack.poll import eventually

COMMAND = [sys.executable, "-m", "auditstream.cli"]
EVENT = {
    "action": "org_user_role_changed",
    "workspace_id": "ws-1",
    "workspace_username": "harbour",
    "actor": {"type": "user", "id": "u-1", "username": "ada"},
    "entity": {"type": "workspace", "id": "ws-1", "name": "harbour"},
    "role": "admin",
    "previous_role": "member",
    "occurred_at": "2026-03-14T10:00:00Z",
}

PUBLISHED = "events WHERE source_service != 'auditstream-api'"
ACCESSES = "events WHERE action = 'audit_log_accessed'"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment without settings, with a state directory of its own."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("AUDITSTREAM_")}
    return kept | {"XDG_STATE_HOME": str(tmp_path / "home")}


@contextmanager
def up(environment: dict[str, str], directory: Path) -> Iterator[str]:
    """Run `up`, yield the address of its page, and end it with SIGINT as Ctrl-C does."""
    command = [*COMMAND, "up", "--data-dir", str(directory)]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            assert process.stdout is not None
            told = "".join(iter(process.stdout.readline, "New alerts appear here.\n"))
            children = psutil.Process(process.pid).children()
            page = re.search(r"Page +(\S+)", told)
            assert page is not None
            yield page[1]
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)
            assert process.returncode == 0
            assert not any(child.is_running() for child in children)
        finally:
            process.kill()


def event_id(name: str) -> str:
    return f"0195f0a2-1111-7abc-8def-{ord(name):012x}"


def publish(environment: dict[str, str], *names: str) -> None:
    lines = "".join(
        json.dumps(EVENT | {"event_id": event_id(name), "member": name, "request_id": name}) + "\n"
        for name in names
    )
    subprocess.run(
        [*COMMAND, "publish", "-"], env=environment, input=lines, text=True, check=True, timeout=60
    )


def stored(environment: dict[str, str], column: str, table: str) -> list[str]:
    rows = told(environment, "sql", f"SELECT {column} AS found FROM {table} ORDER BY 1")
    return [row["found"] for row in rows]


def told(environment: dict[str, str], *arguments: str) -> Any:
    done = subprocess.run(
        [*COMMAND, *arguments, "--format", "json"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return json.loads(done.stdout)


def wait_for(environment: dict[str, str], names: str) -> None:
    eventually(
        lambda: stored(environment, "request_id", PUBLISHED) == list(names),
        within=60,
        what=f"events {names}",
    )


def entries(page: str, credentials: tuple[str, str]) -> list[Any]:
    """Read the audit log of the workspace over HTTP."""
    span = {"start_timestamp": "2026-01-01", "end_timestamp": "2100-01-01"}
    answer = httpx.get(f"{page}/api/harbour/audit_logs", params=span, auth=credentials)
    answer.raise_for_status()
    found: list[Any] = answer.json()["audit_logs"]
    return found


def test_events_stay_over_restarts(environment: dict[str, str], tmp_path: Path) -> None:
    """After a restart, with offsets at 0 again, old events are there and new ones are stored."""
    directory = tmp_path / "data"
    with up(environment, directory) as page:
        publish(environment, "a", "b")
        wait_for(environment, "ab")
        token = told(environment, "tokens", "create", "harbour")
        credentials = (token["token"], token["secret"])
        # At the last moment: what was published is stored all the same, and so is an access.
        publish(environment, "c")
        assert len(entries(page, credentials)) == 2
    with up(environment, directory) as page:
        wait_for(environment, "abc")
        eventually(
            lambda: stored(environment, "actor_id", ACCESSES) == [token["token"]],
            within=30,
            what="the access before the end",
        )
        assert len(entries(page, credentials)) == 4
        # Published again, at another offset of another broker: stored once.
        publish(environment, "c", "d")
        wait_for(environment, "abcd")
        assert len(stored(environment, "toString(alert_id)", "alerts")) == 4


def test_dead_worker_ends_it(environment: dict[str, str], tmp_path: Path) -> None:
    """When a part dies by itself, all ends with code 1 and the part's name."""
    command = [*COMMAND, "up", "--data-dir", str(tmp_path / "data")]
    bad = environment | {"AUDITSTREAM_RULES_DIR": str(tmp_path / "nowhere")}
    done = subprocess.run(
        command, env=bad, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 1
    assert "the worker ended with exit code" in done.stderr
    assert "nowhere" in done.stderr
