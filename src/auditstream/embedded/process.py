"""A server program run as a child process that never outlives this one."""

from __future__ import annotations

import functools
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path

from auditstream.embedded.ports import wait_until_free
from auditstream.errors import ServiceUnavailableError

_LAUNCHER = Path(__file__).with_name("launch.py")
_POLL_SECONDS = 0.02
_SHOWN_LINES = 20

_Start = tuple[Callable[[], subprocess.Popen[bytes]], "Future[subprocess.Popen[bytes]]"]


class ServerProcess:
    """One server, `name`, on `port` of 127.0.0.1, as a child in a session of its own.

    Its output is appended to `log_path`.
    It can be started again after it has ended. It gets no Ctrl-C of the terminal, and on Linux
    it is sent SIGTERM when this process ends in whatever way.
    """

    def __init__(self, name: str, port: int, log_path: Path) -> None:
        self.name = name
        self.port = port
        self.log_path = log_path
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Process id while it runs, else None."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(
        self,
        command: Sequence[str],
        env: Mapping[str, str],
        answers: Callable[[], bool],
        seconds: float,
    ) -> None:
        """Start `command` (an absolute program path first) and wait until `answers()` is true.

        Blocks up to `seconds`. Raises ServiceUnavailableError, with the end of the log, when it
        runs already, when its port stays taken, when it ends, or when it does not answer in time;
        it is then not running.
        """
        if self.pid is not None:
            raise ServiceUnavailableError(f"the {self.name} runs already, as process {self.pid}")
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + seconds
        wait_until_free(self.port, seconds / 2)
        self._process = _start_in_lasting_thread(lambda: self._open(command, env))
        while not answers():
            if self._process.poll() is not None:
                raise self._unavailable(f"ended with exit code {self._process.returncode}")
            if time.monotonic() > deadline:
                self.kill()
                raise self._unavailable(f"did not answer within {seconds:g} s")
            time.sleep(_POLL_SECONDS)

    def stop(self, seconds: float) -> None:
        """Send SIGTERM and wait for the end; after `seconds`, SIGKILL. Nothing if not running."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """Send SIGKILL and wait for the end. Nothing if not running."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _open(self, command: Sequence[str], env: Mapping[str, str]) -> subprocess.Popen[bytes]:
        launcher = [sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid())]
        with self.log_path.open("ab") as log:
            return subprocess.Popen(
                [*launcher, *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(env),
                start_new_session=True,
            )

    def _unavailable(self, what: str) -> ServiceUnavailableError:
        lines = self.log_path.read_text(errors="replace").splitlines()[-_SHOWN_LINES:]
        return ServiceUnavailableError(
            "\n".join([f"the {self.name} {what}; its log {self.log_path} ends with:", *lines])
        )


def _start_in_lasting_thread(
    start: Callable[[], subprocess.Popen[bytes]],
) -> subprocess.Popen[bytes]:
    # The kernel ends the child together with the thread that started it, not with the process,
    # so all children are started by one thread that lives as long as the process.
    future: Future[subprocess.Popen[bytes]] = Future()
    _starts(os.getpid()).put((start, future))
    return future.result()


@functools.cache
def _starts(pid: int) -> queue.SimpleQueue[_Start]:
    # Keyed by process id: a forked process inherits the cache, but not the thread.
    starts: queue.SimpleQueue[_Start] = queue.SimpleQueue()
    threading.Thread(target=_serve, args=(starts,), name=f"starter-{pid}", daemon=True).start()
    return starts


def _serve(starts: queue.SimpleQueue[_Start]) -> None:
    while True:
        start, future = starts.get()
        try:
            future.set_result(start())
        except BaseException as error:  # noqa: BLE001  (handed to the caller)
            future.set_exception(error)
