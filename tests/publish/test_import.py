"""What a producer loads."""

from __future__ import annotations

import subprocess
import sys

import auditstream

PROGRAM = """
import sys
import auditstream
print("confluent_kafka" in sys.modules)
auditstream.AuditLog(service="billing")
print(sorted({name.partition(".")[0] for name in sys.modules}))
"""
HEAVY = {"polars", "pyarrow", "pydantic", "faust", "clickhouse_connect", "httpx", "typer"}


def test_light_import() -> None:
    """The package loads its parts when they are used, and a producer nothing of the worker's."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=True
    )
    kafka, _, modules = done.stdout.partition("\n")
    assert kafka == "False"
    assert {module for module in HEAVY if f"'{module}'" in modules} == set()


def test_public_names() -> None:
    """Every public name is there, and only those."""
    for name in auditstream.__all__:
        assert getattr(auditstream, name).__doc__ or name == "Durability"
    assert set(auditstream.__all__) <= set(dir(auditstream))
    assert not hasattr(auditstream, "no_such_name")
