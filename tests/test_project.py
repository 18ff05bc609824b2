"""The project's own rules: style, types, and which part may import which."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def run(*command: str) -> None:
    """Run a tool in the project and show what it says when it fails."""
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_lint() -> None:
    """Ruff finds nothing."""
    run("ruff", "check", "src", "tests")


def test_format() -> None:
    """The code is formatted by ruff."""
    run("ruff", "format", "--check", "src", "tests")


@pytest.mark.timeout(600)
def test_types() -> None:
    """Mypy finds nothing in strict mode, tests included."""
    run("mypy")


def test_imports() -> None:
    """Imports keep to the layers in pyproject.toml."""
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
