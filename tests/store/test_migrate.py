"""Migrations, the tables they make, comments and retention."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest

from auditstream.contract.catalogue import shipped_catalogue
from auditstream.errors import MigrationError
from auditstream.store.append import append_events
from auditstream.store.columns import ALERTS, EVENTS, REJECTS, Column
from auditstream.store.connection import Store
from auditstream.store.migrate import Migration, migrate, shipped_migrations
from auditstream.store.rejects import append_rejects, list_rejects
from auditstream.store.watermark import read_watermarks
from tests.stack.poll import eventually
from tests.store.conftest import store_at
from tests.store.rows import STREAM, event_rows, reject_rows


def test_numbers_are_unique() -> None:
    """No two migrations share a number."""
    numbers = [migration.number for migration in shipped_migrations()]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize(
    ("table", "columns"),
    [("events", EVENTS), ("rejected_events", REJECTS), ("alerts", ALERTS)],
)
def test_tables_have_the_columns(store: Store, table: str, columns: dict[str, Column]) -> None:
    """A table's columns are those of the frames, in their order and of their types."""
    found = store.query_frame(
        "SELECT name, type FROM system.columns WHERE database = {database:String} "
        "AND table = {table:String} AND name NOT IN ('partition_month', 'role_key') "
        "ORDER BY position",
        {"database": store.database, "table": table},
    )
    assert found.rows() == [(name, column.type) for name, column in columns.items()]


def test_everything_has_a_comment(store: Store) -> None:
    """Every table and every column says what it holds."""
    for source in ("columns", "tables"):
        silent = store.query_frame(
            f"SELECT * FROM system.{source} WHERE database = {{database:String}} AND comment = ''",
            {"database": store.database},
        )
        assert silent.is_empty()


def test_comments_follow_the_catalogue(store: Store) -> None:
    """A new action of the catalogue is described in the comment of the column at once."""
    catalogue = shipped_catalogue()
    new = replace(catalogue.actions["group_created"], name="group_renamed", description="it's new")
    migrate(store, 0, replace(catalogue, actions={**catalogue.actions, "group_renamed": new}))
    comment = store.query_frame(
        "SELECT comment FROM system.columns WHERE table = 'events' AND name = 'action' "
        "AND database = {database:String}",
        {"database": store.database},
    ).item()
    assert "group_renamed (it's new)" in comment
    assert all(name in comment for name in catalogue.actions)


def test_again_changes_nothing(store: Store) -> None:
    """A second run applies nothing and keeps the rows."""
    append_events(store, STREAM, 0, None, event_rows(3), Event())
    before = applied(store)
    migrate(store, 0)
    assert applied(store) == before
    assert read_watermarks(store, STREAM) == {0: 2}


def test_several_at_once(url: str, database: str) -> None:
    """Workers that start together all succeed, and leave one complete set of tables."""
    with ThreadPoolExecutor(4) as threads, store_at(url, database) as store:
        for _ in range(5):
            runs = [threads.submit(migrate, store, 30) for _ in range(4)]
            for run in runs:
                run.result(60.0)
            numbers = {number for number, _ in applied(store)}
            assert numbers == {0} | {migration.number for migration in shipped_migrations()}
            store.command(f"DROP DATABASE {database} SYNC")


def test_a_changed_file_is_refused(store: Store) -> None:
    """A migration that was applied with another content stops the run and is named."""
    store.command(
        f"ALTER TABLE {store.database}.schema_migrations UPDATE checksum = 'another' "
        "WHERE number = 2",
        {"mutations_sync": 1},
    )
    with pytest.raises(MigrationError, match=r"0002_rejected_events\.sql"):
        migrate(store, 0)


def test_views_follow_their_files(store: Store) -> None:
    """A view of an earlier version is replaced, once."""
    view = f"{store.database}.group_changes"
    store.command(f"CREATE OR REPLACE VIEW {view} AS SELECT 'of old' AS text")
    migrate(store, 0)
    assert store.query_frame(f"SELECT * FROM {view}").columns == ["text"]
    store.command(
        f"INSERT INTO {store.database}.schema_migrations (number, name, checksum) "
        "SELECT 0, 'views/changes.sql', 'another'"
    )
    migrate(store, 0)
    assert "group_id" in store.query_frame(f"SELECT * FROM {view}").columns
    before = applied(store)
    migrate(store, 0)
    assert applied(store) == before


def test_a_failing_statement_is_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A migration that the server refuses is named, with the server's words and code."""
    broken = Migration(
        9_999, "9999_broken.sql", "ALTER TABLE {database}.events DROP COLUMN nothing;"
    )
    monkeypatch.setattr("auditstream.store.migrate.shipped_migrations", lambda: (broken,))
    with pytest.raises(MigrationError, match=r"9999_broken\.sql: Code: 10\.") as told:
        migrate(store, 0)
    assert told.value.code == 10
    assert 9_999 not in {number for number, _ in applied(store)}


def test_old_rows_expire(store: Store) -> None:
    """Rows older than the retention go, younger ones and watermarks stay; 0 keeps everything."""
    now = datetime.now(UTC)
    append_events(store, STREAM, 0, None, event_rows(5, start=now - timedelta(days=90)), Event())
    append_events(store, STREAM, 0, 4, event_rows(5, first=5, start=now), Event())
    append_rejects(store, reject_rows([1, 2]), Event())
    migrate(store, 0)
    assert counts(store) == (10, 2)
    migrate(store, 30)
    migrate(store, 60)

    def expired() -> bool:
        for table in ("events", "rejected_events"):
            store.command(f"OPTIMIZE TABLE {store.database}.{table} FINAL")
        return counts(store) == (5, 0)

    eventually(expired, within=60.0, what="the old rows to expire")
    assert read_watermarks(store, STREAM) == {0: 9}
    migrate(store, 0)
    append_rejects(store, reject_rows([1, 2]), Event())
    store.command(f"OPTIMIZE TABLE {store.database}.rejected_events FINAL")
    assert list_rejects(store).height == 2


def applied(store: Store) -> list[tuple[int, datetime]]:
    """Return the record of what was applied: numbers and times."""
    return store.query_frame(
        f"SELECT number, applied_at FROM {store.database}.schema_migrations ORDER BY number"
    ).rows()


def counts(store: Store) -> tuple[int, int]:
    """Return the number of events and of rejected events."""
    row = store.query_frame(
        f"SELECT (SELECT count() FROM {store.database}.events) AS events, "
        f"(SELECT count() FROM {store.database}.rejected_events) AS rejects"
    ).row(0)
    return int(row[0]), int(row[1])
