"""Servers in Docker, through testcontainers."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from functools import cache

from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient, get_docker_host

from tests.stack.errors import PrerequisiteError

DEFAULT_SOCKET = "unix:///var/run/docker.sock"
TAIL_LINES = 40


@cache
def local_docker() -> bool:
    """Whether a Docker daemon answers whose published ports are reached at 127.0.0.1."""
    if not _listens(get_docker_host() or DEFAULT_SOCKET):
        return False
    try:
        docker = DockerClient(timeout=5)
        try:
            return bool(docker.client.ping()) and docker.host() in {"localhost", "127.0.0.1"}
        finally:
            docker.client.close()
    except Exception:  # noqa: BLE001 - whatever the reason, there is no daemon to use
        return False


def _listens(address: str) -> bool:
    # Asked first, since Docker's client leaks its socket when nobody listens.
    scheme, _, path = address.partition("://")
    if scheme != "unix":
        return False
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(5.0)
        try:
            probe.connect(path)
        except OSError:
            return False
    return True


class Container:
    """One container of `image`, its `inner_port` published as 127.0.0.1:`port`.

    The data lives in the container, which is kept until `close`. The host port is a fixed one,
    since Docker chooses another random port at every start.
    """

    def __init__(
        self,
        image: str,
        *,
        port: int,
        inner_port: int,
        environment: Mapping[str, str],
        files: Mapping[str, bytes] | None = None,
    ) -> None:
        self._image = image
        self._container = DockerContainer(image, env=dict(environment))
        # testcontainers declares plain port numbers only, and hands this on to Docker as it is.
        self._container.ports[str(inner_port)] = ("127.0.0.1", port)  # type: ignore[assignment]
        for path, content in (files or {}).items():
            self._container.with_copy_into_container(content, path)
        self._created = False

    def alive(self) -> bool:
        """Whether it runs, paused or not."""
        if not self._created:
            return False
        wrapped = self._container.get_wrapped_container()
        wrapped.reload()
        return wrapped.status in {"running", "paused"}

    def start(self) -> None:
        """Create and start it, or start it again; does not wait for the server inside.

        Raises PrerequisiteError when the image can neither be found nor pulled.
        """
        if self._created:
            self._container.get_wrapped_container().start()
            return
        self._pull()
        self._container.start()
        self._created = True

    def stop(self, within: float) -> int:
        """SIGTERM it, SIGKILL it after `within` seconds; return its exit code."""
        wrapped = self._container.get_wrapped_container()
        wrapped.stop(timeout=int(within))
        return self._container.wait()

    def kill(self) -> None:
        """SIGKILL it and wait for its end. Nothing happens when it does not run."""
        if self.alive():
            self._container.get_wrapped_container().kill(signal="SIGKILL")
            self._container.wait()

    def pause(self) -> None:
        """Freeze all its processes."""
        self._container.get_wrapped_container().pause()

    def resume(self) -> None:
        """Let them go on."""
        self._container.get_wrapped_container().unpause()

    def close(self) -> None:
        """Remove it with its data."""
        self._container.stop()

    def tail(self) -> str:
        """Return the last 40 lines of its output."""
        output: bytes = self._container.get_wrapped_container().logs(tail=TAIL_LINES)
        return output.decode(errors="replace")

    def _pull(self) -> None:
        images = self._container.get_docker_client().client.images
        try:
            if not images.list(name=self._image):
                images.pull(self._image)
        except Exception as error:
            raise PrerequisiteError(f"Docker has no image {self._image}: {error}") from error
