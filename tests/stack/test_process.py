"""`Process`: signals, exit codes, and no orphans."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack.errors import StackError
from tests.stack.poll import eventually
from tests.stack.process import Process

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[Process]:
    """A started process that sleeps for a minute."""
    process = Process(["sleep", "60"], log=tmp_path / "sleeper.log")
    process.start()
    yield process
    process.close()


def test_stop_returns_the_exit_code(sleeper: Process) -> None:
    """SIGTERM ends it, even paused, and it can be started again."""
    sleeper.pause()
    eventually(lambda: state(sleeper.pid) == "T", within=30.0, what="it to be stopped")
    assert sleeper.stop() == -signal.SIGTERM
    sleeper.start()
    assert sleeper.alive()


def test_resume_lets_it_go_on(sleeper: Process) -> None:
    """A paused process is alive, and runs again after `resume`."""
    sleeper.pause()
    eventually(lambda: state(sleeper.pid) == "T", within=30.0, what="it to be stopped")
    assert sleeper.alive()
    sleeper.resume()
    eventually(lambda: state(sleeper.pid) == "S", within=30.0, what="it to sleep again")


def test_an_unexpected_end_is_told_with_the_log(tmp_path: Path) -> None:
    """A process that ended by itself cannot be stopped: exit code and output are in the error."""
    process = Process(["sh", "-c", "echo out of luck; exit 3"], log=tmp_path / "unlucky.log")
    process.start()
    assert process.wait(30.0) == 3
    with pytest.raises(StackError, match=r"unlucky has ended with exit code 3(.|\n)*out of luck"):
        process.stop()
    process.kill()


def test_a_process_deaf_to_sigterm_is_killed(tmp_path: Path) -> None:
    """`stop` kills a process that is not done in time, and says so."""
    script = "trap '' TERM; echo deaf; while :; do sleep 0.1; done"
    process = Process(["sh", "-c", script], log=tmp_path / "deaf.log")
    process.start()
    eventually(lambda: "deaf" in process.tail(), within=30.0, what="its trap to be set")
    with pytest.raises(StackError, match=r"deaf has not ended within 0\.2 s"):
        process.stop(within=0.2)
    assert not process.alive()


def test_no_child_survives_a_killed_parent(tmp_path: Path) -> None:
    """SIGKILL of the process that started it ends the child too."""
    script = (
        "import sys, time, pathlib\n"
        "from tests.stack.process import Process\n"
        "command = ['sh', '-c', 'echo up; exec sleep 60']\n"
        "child = Process(command, log=pathlib.Path(sys.argv[1]))\n"
        "child.start()\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    log = tmp_path / "child.log"
    command = [sys.executable, "-c", script, str(log)]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE) as parent:
        try:
            assert parent.stdout is not None
            child = int(parent.stdout.readline())
            eventually(lambda: "up" in log.read_text(), within=30.0, what="the child to be up")
        finally:
            parent.kill()
    eventually(lambda: state(child) in {"", "Z"}, within=30.0, what="the child to end")


def state(pid: int) -> str:
    """Return the kernel's letter for the state of a process, "" when there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""
