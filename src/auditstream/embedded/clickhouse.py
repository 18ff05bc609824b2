"""The embedded ClickHouse: chDB in a process of its own, behind ClickHouse's HTTP interface."""

from __future__ import annotations

import http.client
import os
import sys
from pathlib import Path
from types import TracebackType

from auditstream.embedded.ports import LOOPBACK, free_port
from auditstream.embedded.process import ServerProcess

_START_SECONDS = 30.0
_STOP_SECONDS = 20.0
_ANSWER_SECONDS = 1.0


class ClickHouse:
    """A ClickHouse on 127.0.0.1 whose tables live in the directory `path`, made if missing.

    `port` is a free one unless given, and stays the same over restarts. The directory opens again
    with every stored row however the process ended. One process at a time owns it.
    """

    def __init__(self, path: Path, *, log_path: Path, port: int | None = None) -> None:
        self.path = path.absolute()
        self.port = free_port() if port is None else port
        self._process = ServerProcess("embedded ClickHouse", self.port, log_path)

    @property
    def url(self) -> str:
        """Address of the HTTP interface, without a path."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int | None:
        """Process id while it runs, else None."""
        return self._process.pid

    def start(self) -> None:
        """Start it and wait until it answers; blocks up to 30 s.

        Raises ServiceUnavailableError when it runs already, ends, or does not answer in time: the
        directory or the port belongs to another process, one of *?{} is in the directory's path,
        or the platform has no chDB.
        """
        # -P: no module of the current directory may stand in for one of the server's.
        command = [sys.executable, "-P", "-m", "auditstream.embedded.clickhouse_server"]
        arguments = ["--path", str(self.path), "--port", str(self.port)]
        self._process.start([*command, *arguments], os.environ, self._answers, _START_SECONDS)

    def stop(self) -> None:
        """End it after the statements under way, and wait for that, 20 s at most.

        Statements that take longer than 10 s are cancelled. Nothing if not running.
        """
        self._process.stop(_STOP_SECONDS)

    def kill(self) -> None:
        """SIGKILL it. Nothing if not running."""
        self._process.kill()

    def __enter__(self) -> ClickHouse:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=_ANSWER_SECONDS)
        try:
            connection.request("GET", "/ping")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
