"""The demo as a newcomer runs it: a process of its own, from nothing to the counts."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from auditstream.contract.catalogue import shipped_catalogue
from tests.stack.poll import eventually

INCIDENTS = 6
"""Alerts of level high that the story is told for; the hour at which it ends may lead to others."""

DEMO = [sys.executable, "-m", "auditstream.cli", "demo", "--events", "2000", "--seed", "7"]
SECONDS = 200.0


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment in which temporary files and state of the demo can be watched."""
    for name in ("temporary", "home"):
        (tmp_path / name).mkdir()
    # The settings of somebody's production must not reach the demo.
    production = {"AUDITSTREAM_KAFKA_BROKERS": "kafka.invalid:9092", "AUDITSTREAM_FETCH_ROWS": "1"}
    return (
        os.environ
        | production
        | {
            "TMPDIR": str(tmp_path / "temporary"),
            "XDG_STATE_HOME": str(tmp_path / "home"),
        }
    )


@contextmanager
def running(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def ask(environment: dict[str, str], *arguments: str) -> Any:
    """Run a command that finds the running demo by itself; return what its JSON says."""
    plain = {k: v for k, v in environment.items() if not k.startswith("AUDITSTREAM_")}
    done = subprocess.run(
        [sys.executable, "-m", "auditstream.cli", *arguments, "--format", "json"],
        env=plain,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def look_around(told: str) -> None:
    """Do what a newcomer does with the page and the token that are shown."""
    shown = dict(re.findall(r"^ +(Page|workspace|token|secret) +(\S+) *$", told, re.MULTILINE))
    login = {"token": shown["token"], "secret": shown["secret"]}
    with httpx.Client(base_url=shown["Page"], follow_redirects=True) as browser:
        form = browser.get("/").text
        hidden = dict(re.findall(r'name="(csrf|next)" value="([^"]*)"', form))
        page = browser.post("/sign-in", data=login | hidden)
        assert (page.status_code, page.url.path) == (200, "/log")
        assert shown["workspace"] in page.text
        browser.auth = (shown["token"], shown["secret"])
        found = browser.get(f"/v1/{shown['workspace']}/alerts", params={"level": "high"}).json()
        assert len(found["alerts"]) >= INCIDENTS
        assert found["alerts"][0]["runbook"]


def test_demo_adds_up_and_leaves_nothing_behind(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """Published is stored plus rejected plus repeats, with all actions and the expected alerts."""
    with running([*DEMO, "--exit", "--format", "json"], environment) as demo:
        out, err = demo.communicate(timeout=SECONDS)
    assert demo.returncode == 0, err
    assert err == ""
    counts = json.loads(out)
    assert counts["published"] == 2000
    assert counts["stored"] == 2000 - counts["rejected"] - counts["duplicates"]
    assert counts["rejected"] == 21
    assert counts["duplicates"] == 5
    assert counts["alerts"] > 6
    assert set(counts["actions"]) == set(shipped_catalogue().actions)
    assert sum(counts["actions"].values()) == counts["stored"]
    assert counts["seconds"] > 0
    assert list((tmp_path / "temporary").iterdir()) == []


def test_demo_stays_up_for_other_commands(environment: dict[str, str], tmp_path: Path) -> None:
    """After its summary other commands and the page work, until SIGTERM ends all of it."""
    with running([*DEMO, "--format", "json"], environment) as demo:
        state = tmp_path / "home" / "auditstream" / "running-stacks"
        eventually(lambda: list(state.glob("*.json")), within=60, what="a demo that is up")
        (note,) = state.glob("*.json")
        address = json.loads(note.read_text())["clickhouse_url"]
        assert demo.stdout is not None
        counts = json.loads("".join(iter(demo.stdout.readline, "}\n")) + "}")
        (row,) = ask(environment, "sql", "SELECT count() AS events FROM events")
        assert row["events"] == counts["stored"]
        # A week is told at once; that is the demo's way, not a delay of the events.
        (row,) = ask(environment, "sql", "SELECT countIf(is_late) AS late FROM events")
        assert row["late"] == 0
        assert len(ask(environment, "alerts", "list", "--limit", "1000")) >= counts["alerts"]
        assert len(ask(environment, "rejects", "list")) == counts["rejected"]
        assert address.startswith("http://127.0.0.1:")
        assert demo.stderr is not None
        told = "".join(iter(demo.stderr.readline, "New alerts appear here.\n"))
        look_around(told)
        children = psutil.Process(demo.pid).children(recursive=True)
        assert len(children) >= 5
        demo.send_signal(signal.SIGTERM)
        demo.communicate(timeout=60)
    assert demo.returncode == 0
    assert address in told
    assert not any(child.is_running() for child in children)
    assert list(state.iterdir()) == []
    assert list((tmp_path / "temporary").iterdir()) == []


def test_page_of_the_demo(environment: dict[str, str]) -> None:
    """The page names every action, tells alerts as sentences and rejects with their reasons."""
    with running([*DEMO, "--exit"], environment) as demo:
        page, err = demo.communicate(timeout=SECONDS)
    assert demo.returncode == 0, err
    for action in shipped_catalogue().actions:
        assert action in page
    assert page.count(" HIGH ") >= INCIDENTS
    assert "the role manage on connection" in page
    assert "event_id_conflict" in page
    assert page.count("FROM audit.events") >= 3
    assert max(len(line) for line in page.splitlines()) <= 120
    assert "\x1b" not in page
