"""Making the tables and views, and bringing them up to date.

Tables come from numbered SQL files, forward only; views from files that hold what is in force.
"""
# ruff: noqa: S608 - names come from checked settings, values from store.sql

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from auditstream.contract.catalogue import Catalogue, shipped_catalogue
from auditstream.errors import MigrationError, StoreError
from auditstream.store.comments import apply_comments
from auditstream.store.connection import Store
from auditstream.store.define_views import apply_views
from auditstream.store.masked import apply_masked_view
from auditstream.store.retention import apply_retention
from auditstream.store.sql import literal, statements

_NAME: Final = re.compile(r"(\d{4})_\w+\.sql")

_LEDGER: Final = """\
CREATE TABLE IF NOT EXISTS {database}.schema_migrations
(
    number UInt32 COMMENT 'Number of the migration; 0: a file of views.',
    name String COMMENT 'Name of its file.',
    checksum String COMMENT 'SHA-256 of its file.',
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3, 'UTC') COMMENT 'When it was applied.'
)
ENGINE = MergeTree
ORDER BY number
COMMENT 'Migrations that were applied to this database.'"""


@dataclass(frozen=True)
class Migration:
    """One numbered file: statements that can be run again without harm."""

    number: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text, in hex."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def statements(self, database: str) -> Iterator[str]:
        """Return the statements with the database's name filled in."""
        return statements(self.text, database)


def migrate(store: Store, retention_days: int, catalogue: Catalogue | None = None) -> None:
    """Make tables and views, or bring them up to date; comments follow the catalogue.

    `retention_days` is for how many days after their arrival events and rejected events are kept,
    0 for ever. Safe to run again, and by several at once: every statement can be, and the record
    of what was applied may hold a migration twice. Blocks until all is done.

    Raises:
        MigrationError: a statement failed, or a file that was applied differs from the one
            shipped; the message names it.
        ServiceUnavailableError, StoreError: see `Store`.
    """
    store.command(f"CREATE DATABASE IF NOT EXISTS {store.database}")
    store.command(_LEDGER.replace("{database}", store.database))
    applied = _applied(store)
    for migration in shipped_migrations():
        if migration.number in applied:
            _compare(migration, applied[migration.number])
        else:
            _apply(store, migration)
    apply_views(store)
    apply_comments(store, catalogue or shipped_catalogue())
    apply_masked_view(store)
    apply_retention(store, retention_days)


def shipped_migrations() -> tuple[Migration, ...]:
    """Return the migrations of the package in the order of their numbers."""
    folder = files("auditstream.store").joinpath("migrations")
    found = [
        Migration(int(match[1]), file.name, file.read_text(encoding="utf-8"))
        for file in folder.iterdir()
        if (match := _NAME.fullmatch(file.name))
    ]
    return tuple(sorted(found, key=lambda migration: migration.number))


def _applied(store: Store) -> dict[int, set[str]]:
    found = store.query_frame(
        f"SELECT DISTINCT number, checksum FROM {store.database}.schema_migrations"
    )
    applied: dict[int, set[str]] = {}
    for number, checksum in found.rows():
        applied.setdefault(number, set()).add(checksum)
    return applied


def _compare(migration: Migration, checksums: set[str]) -> None:
    if checksums != {migration.checksum}:
        raise MigrationError(
            f"migration {migration.name} was applied in another version; a file that was released "
            "is never changed: put the change into a new file with the next number"
        )


def _apply(store: Store, migration: Migration) -> None:
    for statement in migration.statements(store.database):
        try:
            store.command(statement)
        except StoreError as error:
            raise MigrationError(f"migration {migration.name}: {error}", error.code) from error
    values = f"{migration.number}, {literal(migration.name)}, {literal(migration.checksum)}"
    store.command(
        f"INSERT INTO {store.database}.schema_migrations (number, name, checksum) SELECT {values}"
    )
