"""The cache of the servers' programs, and what happens on a machine that cannot have them."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.stack.cache import cached, kafka_jars
from tests.stack.errors import PrerequisiteError

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder instead of the project's cache."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("AUDITSTREAM_TEST_CACHE", str(folder))
    return folder


def test_two_processes_fetch_once() -> None:
    """Asked by four processes at the same time, one fetches and all get the complete folder."""
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        contents = pool.map_async(read_cached, range(4), chunksize=1).get(60.0)
    assert len(set(contents)) == 1


def test_an_incomplete_fetch_is_not_kept(empty_cache: Path) -> None:
    """After a fetch that failed half way, the next one starts from an empty folder."""

    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise PrerequisiteError("cut off")

    with pytest.raises(PrerequisiteError, match="cut off"):
        cached("thing", fail)
    assert not (empty_cache / "thing").exists()
    assert list(cached("thing", lambda folder: (folder / "whole").touch()).iterdir()) == [
        empty_cache / "thing" / "whole"
    ]


def test_git_ignores_the_cache(empty_cache: Path) -> None:
    """The folder tells git to ignore all of it."""
    cached("thing", lambda folder: None)
    assert (empty_cache / ".gitignore").read_text() == "*\n"


def test_a_missing_tool_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without java on the PATH, the error names it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PrerequisiteError, match="`java`, needed to run Apache Kafka, is not"):
        kafka_jars()


def test_a_failed_fetch_shows_the_output(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """When Maven fails, its last output is in the error."""
    for tool in ("java", "mvn"):
        (tmp_path / tool).write_text("#!/bin/sh\necho no route to host\nexit 7\n")
        (tmp_path / tool).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(PrerequisiteError, match=r"exit code 7 from (.|\n)*no route to host"):
        kafka_jars()


@pytest.mark.parametrize(("ci", "outcome"), [("", "1 skipped"), ("true", "1 error")])
def test_a_missing_prerequisite_skips_except_in_ci(tmp_path: Path, ci: str, outcome: str) -> None:
    """A test that needs Kafka is skipped with the reason, but fails where CI=true."""
    module = tmp_path / "test_needs_kafka.py"
    module.write_text("def test_needs(kafka_server): pass\n")
    plugins = ["-p", "tests.stack.fixtures", "-p", "no:cacheprovider", "-p", "no:cov"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-rsE", f"--rootdir={tmp_path}", *plugins, str(module)],
        cwd=PROJECT,
        env={**os.environ, "PATH": str(tmp_path), "DOCKER_HOST": f"unix://{tmp_path}/no", "CI": ci},
        capture_output=True,
        text=True,
        timeout=120.0,
        check=False,
    )
    assert outcome in done.stdout
    assert "`java`, needed to run Apache Kafka, is not on the PATH" in done.stdout


def read_cached(_: int) -> str:
    """Return what the one fetch wrote."""
    return (cached("thing", slow_fetch) / "fetched-by").read_text()


def slow_fetch(folder: Path) -> None:
    """Leave a file that tells one fetch from another, slowly enough for the others to ask."""
    (folder / "fetched-by").write_text(str(os.getpid()))
    time.sleep(0.5)
