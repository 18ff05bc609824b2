from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from auditstream.embedded.ports import free_port
from auditstream.embedded.process import ServerProcess
from auditstream.errors import ServiceUnavailableError
from tests.stack.poll import eventually

SERVE = """
import socket, sys
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as listener:
    print("up", flush=True)
    while True:
        listener.accept()[0].sendall(b"here")
"""
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"


class Server:
    """A small server in Python, up once it has printed so."""

    def __init__(self, directory: Path) -> None:
        self.log = directory / "log"
        self.process = ServerProcess("test server", free_port(), self.log)

    def start(self, code: str = SERVE, seconds: float = 20.0) -> None:
        """Run `code`, with the port as its argument."""
        command = [sys.executable, "-c", code, str(self.process.port)]
        lines = self.log.read_text().count("up") if self.log.exists() else 0
        self.process.start(
            command, os.environ, lambda: self.log.read_text().count("up") > lines, seconds
        )


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.process.kill()


def alive(pid: int) -> bool:
    """Whether the process runs, zombies not counted."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_start_stop_and_start_again(server: Server) -> None:
    """It has a process id while it runs, and can run again on its port."""
    for _ in range(2):
        server.start()
        pid = server.process.pid
        assert pid is not None
        assert alive(pid)
        server.process.stop(10)
        assert not alive(pid)
        server.process.stop(10)
    assert server.process.pid is None


def test_it_is_started_once(server: Server) -> None:
    """A second start is an error, and leaves the first alone."""
    server.start()
    with pytest.raises(ServiceUnavailableError, match="test server runs already"):
        server.start()
    assert server.process.pid is not None


def test_failure_shows_the_log(server: Server) -> None:
    """Whoever meets it sees what the program had to say."""
    with pytest.raises(ServiceUnavailableError, match=r"exit code 3(.|\n)*no luck today"):
        server.start("import sys; print('no luck today'); sys.exit(3)")
    assert server.process.pid is None


def test_silence_ends_in_an_error(server: Server) -> None:
    """A server that does not answer in time is not left running."""
    with pytest.raises(ServiceUnavailableError, match=r"did not answer within 0\.5 s"):
        server.start("import time; time.sleep(60)", seconds=0.5)
    assert server.process.pid is None


def test_stubborn_server_is_killed(server: Server) -> None:
    """Stopping ends it in any case."""
    server.start(STUBBORN + SERVE)
    server.process.stop(0.2)
    assert server.process.pid is None


def test_it_outlives_the_thread_that_started_it(server: Server) -> None:
    """The kernel ties a child to a thread; that thread is not the caller's."""
    starter = threading.Thread(target=server.start)
    starter.start()
    starter.join()
    task = Path(f"/proc/self/task/{starter.native_id}")
    eventually(lambda: not task.exists(), within=10, what="the end of the thread")
    with socket.create_connection(("127.0.0.1", server.process.port), timeout=10) as client:
        assert client.recv(10) == b"here"


def test_taken_port(server: Server) -> None:
    """Another program's answer is never taken for that of the server."""
    address = ("127.0.0.1", server.process.port)
    with (
        socket.create_server(address),
        pytest.raises(ServiceUnavailableError, match="is taken by another program"),
    ):
        server.start(seconds=0.2)
    assert server.process.pid is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
def test_it_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    """A SIGKILLed starter leaves nothing behind."""
    code = (
        "import pathlib, sys, time; from tests.embedded.test_process import Server;"
        f"server = Server(pathlib.Path({str(tmp_path)!r})); server.start();"
        "print(server.process.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        assert alive(pid)
        starter.send_signal(signal.SIGKILL)
    eventually(lambda: not alive(pid), within=10, what="the end of the server")
