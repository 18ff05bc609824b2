from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from uuid import UUID

import pytest

from auditstream.cli.output import Format, print_rows

COLUMNS = ("id", "when", "name", "count", "tags")
ROWS = [
    (
        UUID("0195f0a2-1111-7abc-8def-0123456789ab"),
        datetime(2026, 3, 14, 2, 13, 41, 250_000, tzinfo=UTC),
        'quote " and, comma',
        12_345,
        [{"key": "a", "value": None}],
    ),
    (None, None, "eve\x1b[2J\nbob", 7, []),
]


def test_table(capsys: pytest.CaptureFixture[str]) -> None:
    """A table in a pipe breaks no value, whatever its width, and shows control letters as such."""
    print_rows(COLUMNS, [*ROWS, (None, None, "x" * 500, 1, [])], Format.table)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == list(COLUMNS)
    assert lines[2].split()[:3] == [
        "0195f0a2-1111-7abc-8def-0123456789ab",
        "2026-03-14",
        "02:13:41.250",
    ]
    assert "12,345" in lines[2]
    assert "eve\ufffd[2J\ufffdbob" in lines[3]
    assert "x" * 500 in lines[4]
    assert len(lines) == 5


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON is one array of objects; numbers, lists and null stay what they are."""
    print_rows(COLUMNS, ROWS, Format.json)
    first, second = json.loads(capsys.readouterr().out)
    assert first == {
        "id": "0195f0a2-1111-7abc-8def-0123456789ab",
        "when": "2026-03-14T02:13:41.250000+00:00",
        "name": 'quote " and, comma',
        "count": 12345,
        "tags": [{"key": "a", "value": None}],
    }
    assert second["name"] == "eve\x1b[2J\nbob"
    assert second["id"] is None


def test_csv(capsys: pytest.CaptureFixture[str]) -> None:
    """CSV has a header and can be read back."""
    print_rows(COLUMNS, ROWS, Format.csv)
    first, second = csv.DictReader(io.StringIO(capsys.readouterr().out, newline=""))
    assert first["name"] == 'quote " and, comma'
    assert first["count"] == "12345"
    assert second["name"] == "eve\x1b[2J\nbob"
    assert second["id"] == ""
