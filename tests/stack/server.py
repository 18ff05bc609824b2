"""What the servers under test have in common."""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from tests.stack.errors import StackError
from tests.stack.poll import eventually

START_SECONDS = 90.0
STOP_SECONDS = 30.0


class Runner(Protocol):
    """What runs a server: a child process, or a container."""

    def alive(self) -> bool:
        """Whether it runs, paused or not."""

    def start(self) -> None:
        """Start it, for the first time or again; returns at once."""

    def stop(self, within: float) -> int:
        """SIGTERM it and wait; return the exit code."""

    def kill(self) -> None:
        """SIGKILL it and wait, if it runs."""

    def pause(self) -> None:
        """Freeze it."""

    def resume(self) -> None:
        """Let it go on."""

    def close(self) -> None:
        """End it for good."""

    def tail(self) -> str:
        """Return the end of its output."""


class Server(ABC):
    """A server on one port of 127.0.0.1 and one directory, which it keeps when started again.

    As a context manager: started on entry, closed on exit.
    """

    def __init__(self, name: str, directory: Path, port: int, runner: Runner) -> None:
        self.name = name
        self.directory = directory
        self.port = port
        self._runner = runner

    def alive(self) -> bool:
        """Whether it runs, paused or not."""
        return self._runner.alive()

    def start(self) -> None:
        """Start it, for the first time or again on its data, and wait until it serves.

        Raises StackError with the tail of its log when it ends, or does not serve in 90 s.
        """
        self._runner.start()
        try:
            eventually(self._settled, within=START_SECONDS, what=f"{self.name} to serve")
        except AssertionError as error:
            self._runner.kill()
            raise self._failed(str(error)) from error
        except BaseException:
            self._runner.kill()
            raise
        if not self.alive():
            raise self._failed("it ended")

    def stop(self) -> None:
        """Ask it to end (SIGTERM) and wait. Raises StackError when it is not done in 30 s.

        ClickHouse takes 5 s while clients keep idle connections open.
        """
        self._runner.stop(STOP_SECONDS)

    def kill(self) -> None:
        """SIGKILL it and wait for its end. Nothing happens when it does not run."""
        self._runner.kill()

    def pause(self) -> None:
        """Freeze it (SIGSTOP): its connections stay open and nobody answers."""
        self._runner.pause()

    def resume(self) -> None:
        """Let it go on (SIGCONT)."""
        self._runner.resume()

    def close(self) -> None:
        """End it for good and delete its data; its log stays."""
        self._runner.close()
        shutil.rmtree(self.directory / "data", ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @abstractmethod
    def _serves(self) -> bool: ...

    def _settled(self) -> bool:
        return not self.alive() or self._serves()

    def _failed(self, why: str) -> StackError:
        tail = self._runner.tail()
        return StackError(f"{self.name} on port {self.port} did not start: {why}\n{tail}")
