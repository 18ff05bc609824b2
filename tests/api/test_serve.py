"""The command `auditstream api`, as a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pytest

from auditstream.api.issue import Issued
from auditstream.settings import Settings
from tests.api.conftest import basic
from tests.stack.poll import eventually
from tests.stack.ports import free_port

PATH = "/api/workspace-0/audit_logs"
DAY = {"start_timestamp": "2025-03-03", "end_timestamp": "2025-03-04"}


@pytest.fixture(scope="module", params=["embedded"])
def url(request: pytest.FixtureRequest) -> str:
    """The embedded ClickHouse alone: the command is the same for any."""
    address: str = request.getfixturevalue("embedded_clickhouse").url
    return address


def serving(pid: int) -> list[psutil.Process]:
    """Return the processes that answer: the command, or those it has started for that."""
    command = psutil.Process(pid)
    workers = [child for child in command.children() if "spawn_main" in " ".join(child.cmdline())]
    return workers or [command]


@pytest.mark.parametrize("workers", [1, 2])
def test_command_serves_until_it_is_asked_to_end(
    settings: Settings, issued: Issued, tmp_path: Path, workers: int
) -> None:
    """On loopback; SIGTERM ends it in order, though a stream is open; no secret is in its log."""
    port = free_port()
    environment = {
        **os.environ,
        "AUDITSTREAM_CLICKHOUSE_URL": settings.clickhouse_url,
        "AUDITSTREAM_CLICKHOUSE_DATABASE": settings.clickhouse_database,
        "AUDITSTREAM_KAFKA_BROKERS": "127.0.0.1:1",
        "AUDITSTREAM_SPOOL_DIR": str(tmp_path / "spool"),
        "AUDITSTREAM_SPOOL_CLOSE_SECONDS": "0",
    }
    command = [sys.executable, "-m", "auditstream.cli", "api", "--port", str(port)]
    command += ["--workers", str(workers)]
    log = tmp_path / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=file, stderr=file)
    try:
        headers = {"Authorization": basic(issued)}
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers) as client:
            first = eventually(lambda: client.get(PATH, params=DAY), within=30.0, what="an answer")
            assert first.status_code == 200
            assert len(first.json()["audit_logs"]) == 100
            assert "server" not in first.headers
            with client.stream("GET", "/v1/workspace-0/events/stream") as answer:
                assert answer.status_code == 200
                processes = serving(process.pid)
                assert len(processes) == workers
                process.send_signal(signal.SIGTERM)
                assert process.wait(20.0) == 0
            assert not any(serves.is_running() for serves in processes)
    finally:
        process.kill()
        process.wait(20.0)
    logged = log.read_text()
    assert f"token={issued.token.token_id}" in logged
    assert issued.secret not in logged
    assert headers["Authorization"] not in logged
    assert "Traceback" not in logged
    assert any((tmp_path / "spool").iterdir())
