"""Commands run in this process, away from what else runs on this machine."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from auditstream.alerts.topics import ensure_topics
from auditstream.cli import main
from auditstream.embedded import Broker, ClickHouse
from auditstream.settings import PREFIX, Settings, load_settings
from auditstream.store.connection import Store, connect
from auditstream.store.migrate import migrate


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str


Command = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let commands find no settings, no state and no running demo of this machine."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def auditstream(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """A function that runs a command line and returns exit code and output."""

    def run(*arguments: str, stdin: str = "") -> Outcome:
        monkeypatch.setattr(sys, "argv", ["auditstream", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        out, err = capsys.readouterr()
        return Outcome(code, out, err)

    return run


@pytest.fixture(scope="package")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A broker with topics and a ClickHouse with tables, for the package."""
    directory = tmp_path_factory.mktemp("services")
    with (
        Broker(log_path=directory / "broker.log") as broker,
        ClickHouse(directory / "data", log_path=directory / "clickhouse.log") as clickhouse,
    ):
        settings = load_settings(kafka_brokers=broker.bootstrap, clickhouse_url=clickhouse.url)
        ensure_topics(settings, 3)
        store = connect(settings)
        migrate(store, settings.retention_days)
        store.close()
        yield settings


@pytest.fixture
def store(services: Settings) -> Iterator[Store]:
    """The tables, empty."""
    store = connect(services)
    for table in ("events", "rejected_events", "alerts"):
        store.command(f"TRUNCATE TABLE {store.database}.{table}")
    yield store
    store.close()
