"""A child process with a log that never outlives this process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.stack.errors import StackError

LAUNCHER = Path(__file__).with_name("launch.py")
TAIL_LINES = 40

# The kernel ends a child with the thread that started it, so that one thread, which lives until
# this process exits, starts them all.
_starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="start-process")


class Process:
    """A command run as a child in its own session, output appended to `log` (named by its stem).

    The same command can be started again once it has ended. However this process ends, the
    child is killed with it.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        log: Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.command = [str(part) for part in command]
        self.log = log
        self._cwd = cwd
        self._env = env
        self._popen: subprocess.Popen[bytes] | None = None

    def alive(self) -> bool:
        """Whether it runs, or would if it were not paused."""
        return self._popen is not None and self._popen.poll() is None

    @property
    def pid(self) -> int:
        """Its process id. Raises StackError when it does not run."""
        return self._running().pid

    def start(self) -> None:
        """Start it; returns at once. Raises StackError when it runs already."""
        if self.alive():
            raise StackError(f"{self.log.stem} runs already as process {self.pid}")
        self._popen = _starter.submit(self._open).result()

    def wait(self, within: float) -> int:
        """Wait until it ends by itself; return its exit code, -N for signal N.

        Raises StackError after `within` seconds; the process then goes on.
        """
        if self._popen is None:
            raise StackError(f"{self.log.stem} was never started")
        try:
            return self._popen.wait(within)
        except subprocess.TimeoutExpired:
            raise StackError(self._told(f"has not ended within {within:g} s")) from None

    def stop(self, within: float = 30.0) -> int:
        """SIGTERM it, resumed if it was paused, and wait; return its exit code.

        Raises StackError when it had ended before, and, once killed, when it does not end within
        `within` seconds.
        """
        running = self._running()
        running.send_signal(signal.SIGTERM)
        running.send_signal(signal.SIGCONT)
        try:
            return self.wait(within)
        except StackError:
            self.kill()
            raise

    def kill(self) -> None:
        """SIGKILL it and wait for its end. Nothing happens when it does not run."""
        if self._popen is not None:
            self._popen.kill()
            self._popen.wait()

    def pause(self) -> None:
        """SIGSTOP it. Raises StackError when it does not run."""
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT it. Raises StackError when it does not run."""
        self._running().send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End it for good, like `kill`."""
        self.kill()

    def tail(self) -> str:
        """Return the last 40 lines of its log."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-TAIL_LINES:])

    def _open(self) -> subprocess.Popen[bytes]:
        launcher = [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid())]
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [*launcher, *self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._cwd,
                env=self._env,
                start_new_session=True,
            )

    def _running(self) -> subprocess.Popen[bytes]:
        if self._popen is None:
            raise StackError(f"{self.log.stem} was never started")
        if not self.alive():
            raise StackError(self._told(f"has ended with exit code {self._popen.returncode}"))
        return self._popen

    def _told(self, what: str) -> str:
        return f"{self.log.stem} {what}; its log {self.log} ends with:\n{self.tail()}"
