from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from auditstream.cli.running import announced, directory, find_running
from auditstream.cli.target import target
from auditstream.settings import load_settings

PROGRAM = """
import sys
from auditstream.cli.running import announced
from auditstream.settings import load_settings
with announced("demo", load_settings(clickhouse_url="http://127.0.0.1:1", kafka_brokers="b:1")):
    print("up", flush=True)
    sys.stdin.read()
"""


def started() -> subprocess.Popen[str]:
    """Start a process that notes itself as a demo."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


def test_running_stack_is_found_until_it_ends() -> None:
    """A stack of another process is found with its addresses, and gone when it has ended."""
    with started() as process:
        running = find_running()
        assert running is not None
        assert (running.command, running.pid) == ("demo", process.pid)
        assert running.clickhouse_url == "http://127.0.0.1:1"
        process.communicate("")
    assert find_running() is None
    assert list(directory().iterdir()) == []


def test_killed_stack_is_not_found() -> None:
    """What a killed process left behind is ignored, and removed."""
    with started() as process:
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        assert list(directory().iterdir()) != []
        assert find_running() is None
    assert list(directory().iterdir()) == []


def test_note_of_a_reused_process_id_is_not_believed() -> None:
    """A living process under the noted id proves nothing."""
    directory().mkdir(parents=True)
    note = directory() / f"{os.getpid()}.json"
    note.write_text('{"command": "up", "pid": 1, "kafka_brokers": "", "clickhouse_url": ""}')
    assert find_running() is None


def test_commands_mean_the_running_stack() -> None:
    """Without an address of its own, a command takes those of the running stack."""
    with announced("up", load_settings(clickhouse_url="http://h:1", kafka_brokers="k:2")):
        # The note is locked by this process, so another one has to look.
        look = "from auditstream.cli.target import target; t = target(); "
        done = subprocess.run(
            [sys.executable, "-c", look + "print(t.clickhouse_url, t.kafka_brokers)"],
            capture_output=True,
            text=True,
            check=True,
        )
    assert done.stdout == "http://h:1 k:2\n"


@pytest.mark.parametrize("way", ["flag", "environment", "file"])
def test_given_address_wins(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address by flag, environment or file is taken, whatever runs."""
    url = "http://mine:8123"
    if way == "environment":
        monkeypatch.setenv("AUDITSTREAM_CLICKHOUSE_URL", url)
    if way == "file":
        Path("auditstream.toml").write_text(f'clickhouse_url = "{url}"\n')
    with started() as process:
        assert target(url=url if way == "flag" else None).clickhouse_url == url
        process.communicate("")


def test_default_is_meant_when_nothing_runs() -> None:
    """Without address and running stack the default stands."""
    assert target().clickhouse_url == "http://127.0.0.1:8123"
