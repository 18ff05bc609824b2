"""The data dictionary and the dbt sources are made from what is in the database."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from auditstream.contract.catalogue import shipped_catalogue
from auditstream.settings import Settings
from auditstream.store.ask import shipped_questions
from tests.cli.conftest import Command

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "schemas" / "DICTIONARY.md"
SOURCES = ROOT / "deploy" / "dbt" / "sources.yml"


@pytest.fixture(autouse=True)
def address(services: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands find the services by the environment."""
    monkeypatch.setenv("AUDITSTREAM_CLICKHOUSE_URL", services.clickhouse_url)


def test_the_page_is_in_sync(auditstream: Command) -> None:
    """After a change: auditstream dictionary > schemas/DICTIONARY.md."""
    assert auditstream("dictionary").out == PAGE.read_text(encoding="utf-8")


def test_the_sources_are_in_sync(auditstream: Command) -> None:
    """After a change: auditstream dictionary --dbt > deploy/dbt/sources.yml."""
    assert auditstream("dictionary", "--dbt").out == SOURCES.read_text(encoding="utf-8")


def test_the_page_has_everything() -> None:
    """Tables, views, every action and every question."""
    page = PAGE.read_text(encoding="utf-8")
    for heading in ("events", "effective_access", "access_grants", "group_members", "rejects"):
        assert f"### {heading}\n" in page
    for name in (*shipped_catalogue().actions, *(item.name for item in shipped_questions())):
        assert f"| `{name}` |" in page


def test_dbt_reads_the_sources() -> None:
    """Sources have the form that dbt takes: named tables with columns that have descriptions."""
    document = yaml.safe_load(SOURCES.read_text(encoding="utf-8"))
    assert document["version"] == 2
    source = document["sources"][0]
    assert (source["name"], source["schema"]) == ("audit", "audit")
    tables = {table["name"]: table for table in source["tables"]}
    assert tables["events"]["loaded_at_field"] == "ingested_at"
    assert {"events", "alerts", "effective_access", "permission_changes"} <= set(tables)
    for table in tables.values():
        assert table["description"]
        assert all(column["description"] for column in table["columns"])
