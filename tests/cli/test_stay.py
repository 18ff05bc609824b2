"""How `demo` and `up` say what to do next."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from rich.console import Console

from auditstream.cli.stay import print_next


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A program of our name in an environment that is not on the PATH."""
    program = tmp_path / "venv" / "bin" / "auditstream"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return program


def told(capsys: pytest.CaptureFixture[str]) -> str:
    """What is told to go on with."""
    print_next(Console(highlight=False, width=160))
    return capsys.readouterr().out


def test_program_that_the_shell_does_not_find(
    installed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Commands begin as this one was called, so that they can be copied."""
    monkeypatch.chdir(installed.parents[2])
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(sys, "argv", ["venv/bin/auditstream", "demo"])
    assert "  venv/bin/auditstream up " in told(capsys)


def test_program_that_the_shell_finds(
    installed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On the PATH its name is enough."""
    monkeypatch.setenv("PATH", str(installed.parent))
    monkeypatch.setattr(sys, "argv", [str(installed), "demo"])
    assert "  auditstream up " in told(capsys)
