"""Views: SQL files that hold what is in force, made anew whenever their text has changed."""
# ruff: noqa: S608 - names come from checked settings, values from store.sql

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from importlib.resources import files
from typing import Final

from auditstream.errors import MigrationError, StoreError
from auditstream.store.connection import Store
from auditstream.store.sql import literal, statements

LEDGER: Final = "schema_migrations"
NUMBER: Final = 0
"""Stands for a file of views in the ledger of migrations, of which only the newest row counts."""


def apply_views(store: Store) -> None:
    """Make the views, or those again whose file differs from the one that was applied last.

    Each statement replaces a view at once, so that readers find the former one or the new one.
    Blocks for some milliseconds a view.

    Raises:
        MigrationError: a statement failed; the message names the file.
        ServiceUnavailableError, StoreError: see `Store`.
    """
    applied = dict(
        store.query_frame(
            f"SELECT name, argMax(checksum, applied_at) FROM {store.database}.{LEDGER} "
            f"WHERE number = {NUMBER} GROUP BY name"
        ).rows()
    )
    for name, text in shipped_views():
        checksum = hashlib.sha256(text.encode()).hexdigest()
        if applied.get(name) == checksum:
            continue
        for statement in statements(text, store.database):
            try:
                store.command(statement)
            except StoreError as error:
                raise MigrationError(f"{name}: {error}", error.code) from error
        store.command(
            f"INSERT INTO {store.database}.{LEDGER} (number, name, checksum) "
            f"SELECT {NUMBER}, {literal(name)}, {literal(checksum)}"
        )


def shipped_views() -> Iterator[tuple[str, str]]:
    """Yield the files of the package by name: `views/` and the file, and its text."""
    folder = files("auditstream.store").joinpath("views")
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        yield f"views/{file.name}", file.read_text(encoding="utf-8")
