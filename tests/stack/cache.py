"""The servers' programs, fetched once into `.cache/` at the project's root.

The environment variable AUDITSTREAM_TEST_CACHE names another folder. Once fetched, nothing is
asked of the network again.
"""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.stack.errors import PrerequisiteError
from tests.stack.poll import eventually

KAFKA_VERSION = "4.1.0"
CLICKHOUSE_VERSION = "26.7.3-stable.1"

FETCH_SECONDS = 600.0
TAIL_LINES = 30

POM = f"""\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>local</groupId>
  <artifactId>kafka</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>{KAFKA_VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka-tools</artifactId>
      <version>{KAFKA_VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId>
      <artifactId>slf4j-simple</artifactId>
      <version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
"""
COPY_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"


def kafka_jars() -> Path:
    """Return the folder with Apache Kafka's jars (54 MB), fetched with Maven if it is not there.

    Raises PrerequisiteError when java or mvn is missing, or the fetch fails.
    """
    _tool("java", "run Apache Kafka")
    return cached(f"kafka-{KAFKA_VERSION}", _fetch_kafka)


def clickhouse_library() -> Path:
    """Return ClickHouse's shared library (570 MB), fetched with npm if it is not there.

    Raises PrerequisiteError when this is not Linux on x86-64, npm is missing, or the fetch
    fails.
    """
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise PrerequisiteError("without Docker, ClickHouse runs on Linux on x86-64 only")
    return cached(f"clickhouse-{CLICKHOUSE_VERSION}", _fetch_clickhouse) / "libchdb.so"


def cached(name: str, fetch: Callable[[Path], None]) -> Path:
    """Return the cached folder `name`, which `fetch` fills the first time.

    Any number of processes may ask at once: one fetches, the others wait for it. A folder that
    was not completed is never returned.
    """
    root = cache_root()
    complete = root / name
    if complete.is_dir():
        return complete
    root.mkdir(parents=True, exist_ok=True)
    (root / ".gitignore").write_text("*\n")
    with _locked(root / f"{name}.lock"):
        if complete.is_dir():
            return complete
        partial = root / f"{name}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        fetch(partial)
        partial.rename(complete)
    return complete


def cache_root() -> Path:
    """Return the cache's folder, which may not exist yet."""
    default = Path(__file__).resolve().parents[2] / ".cache"
    return Path(os.environ.get("AUDITSTREAM_TEST_CACHE") or default).absolute()


def _fetch_kafka(folder: Path) -> None:
    mvn = _tool("mvn", "fetch Apache Kafka")
    with tempfile.TemporaryDirectory() as work:
        Path(work, "pom.xml").write_text(POM)
        _run([mvn, "-q", "-B", COPY_GOAL, f"-DoutputDirectory={folder}"], Path(work))


def _fetch_clickhouse(folder: Path) -> None:
    npm = _tool("npm", "fetch ClickHouse")
    package = f"@chdb/lib-linux-x64-gnu@{CLICKHOUSE_VERSION}"
    _run([npm, "pack", package, "--pack-destination", str(folder)], folder)
    archive = next(folder.glob("*.tgz"))
    with tarfile.open(archive) as tar:
        member = tar.getmember("package/libchdb.so")
        member.name = "libchdb.so"
        tar.extract(member, folder, filter="data")
    archive.unlink()


def _tool(name: str, purpose: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise PrerequisiteError(f"`{name}`, needed to {purpose}, is not on the PATH")
    return path


def _run(command: list[str], cwd: Path) -> None:
    shown = " ".join(command)
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=FETCH_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise PrerequisiteError(f"not done in {FETCH_SECONDS:g} s: {shown}") from None
    if done.returncode != 0:
        tail = "\n".join(done.stdout.splitlines()[-TAIL_LINES:])
        raise PrerequisiteError(f"exit code {done.returncode} from {shown}:\n{tail}")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:

        def lock() -> bool:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True

        eventually(lock, within=2 * FETCH_SECONDS, what=f"another process to release {path}")
        yield
