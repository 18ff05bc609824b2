"""A ClickHouse server."""

from __future__ import annotations

import http.client
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from tests.stack import cache
from tests.stack.containers import Container, local_docker
from tests.stack.ports import free_port
from tests.stack.process import Process
from tests.stack.server import Runner, Server

IMAGE = "clickhouse/clickhouse-server:26.7"
MAIN = Path(__file__).with_name("clickhouse_main.py")

# Without `memory_worker_use_cgroup` off, the memory of every process of the surrounding control
# group counts against the limit.
CONFIG = """\
<clickhouse>
  <logger>
    <level>warning</level>
    {log}
  </logger>
  <max_server_memory_usage>4294967296</max_server_memory_usage>
  <memory_worker_use_cgroup>0</memory_worker_use_cgroup>
  <mark_cache_size>134217728</mark_cache_size>
  <index_mark_cache_size>67108864</index_mark_cache_size>
  <primary_index_cache_size>134217728</primary_index_cache_size>
  <background_pool_size>4</background_pool_size>
  <background_schedule_pool_size>8</background_schedule_pool_size>
  {users}
</clickhouse>
"""

USERS = """\
<clickhouse>
  <profiles><default/></profiles>
  <quotas><default/></quotas>
  <users>
    <default>
      <password></password>
      <networks><ip>127.0.0.1</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
    </default>
  </users>
</clickhouse>
"""


class ClickHouseServer(Server):
    """A ClickHouse of its own on `directory`: in Docker if there is one, else from its library.

    HTTP only, user `default` without a password, at most 4 GiB of memory. `users` is a folder of
    XML files that name further users, as in /etc/clickhouse-server/users.d; environment variables
    they take values from are in `environment`. Raises PrerequisiteError when it can be had in
    neither way.
    """

    def __init__(
        self,
        directory: Path,
        users: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        port = free_port()
        files = sorted(users.glob("*.xml")) if users else []
        start = _container if local_docker() else partial(_process, directory)
        runner = start(port, files, environment or {})
        super().__init__("ClickHouse", directory, port, runner)

    @property
    def url(self) -> str:
        """Its HTTP interface, `http://host:port`."""
        return f"http://127.0.0.1:{self.port}"

    def _serves(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1.0)
        try:
            connection.request("GET", "/ping")
            return connection.getresponse().read() == b"Ok.\n"
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def _process(
    directory: Path, port: int, users: Sequence[Path], environment: Mapping[str, str]
) -> Runner:
    library = cache.clickhouse_library()
    log = directory / "clickhouse.log"
    config = directory / "config.xml"
    setting = ""
    if users:
        (directory / "users.xml").write_text(USERS)
        (directory / "users.d").mkdir(exist_ok=True)
        for file in users:
            shutil.copy(file, directory / "users.d")
        setting = f"<users_config>{directory / 'users.xml'}</users_config>"
    config.write_text(CONFIG.format(log=f"<log>{log}</log>", users=setting))
    data = directory / "data"
    command = [sys.executable, "-I", *map(str, (MAIN, library, config, data, port))]
    return Process(command, log=log, cwd=directory, env={**os.environ, **environment})


def _container(port: int, users: Sequence[Path], environment: Mapping[str, str]) -> Runner:
    config = CONFIG.format(log="", users="").encode()
    places = {f"/etc/clickhouse-server/users.d/{file.name}": file.read_bytes() for file in users}
    return Container(
        IMAGE,
        port=port,
        inner_port=8123,
        environment={"CLICKHOUSE_SKIP_USER_SETUP": "1", **environment},
        files={"/etc/clickhouse-server/config.d/test.xml": config, **places},
    )
