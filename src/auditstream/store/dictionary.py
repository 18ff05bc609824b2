"""The data dictionary: what is in the database and in the catalogue, as a page and for dbt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from auditstream.contract.catalogue import Catalogue
from auditstream.store.ask import shipped_questions
from auditstream.store.connection import Store
from auditstream.store.define_views import LEDGER

_HEAD: Final = """\
# Data dictionary

What `auditstream migrate` makes in ClickHouse. This page is made by `auditstream dictionary`.

Each event is one row: no `FINAL`, no `DISTINCT`. Times are UTC. Views are plain: they are always
up to date, and a condition on their columns reaches the table. A condition on `workspace_id` and
on a time makes a query fast. As of a time `t` is a condition as well: `valid_from <= t AND
(valid_until IS NULL OR valid_until > t)`.

Views of access put together what all events of a workspace say. In a workspace of millions of
events, ask those that take what is wanted as parameters: who could use one thing at a time,
`effective_access_at(workspace = 'w1', entity = 'c1', at = '2025-05-03')`, and what began in a
stretch of time, `access_grants_between(workspace = 'w1', since = '2025-05-01', until =
'2025-06-01')`, `group_members_between` likewise. What actors did in a stretch of time is told by
`actor_profile_between` and `first_and_last_seen_between` with the same parameters, and what is
missing from it by `sequence_gaps_between(since = '2025-05-01', until = '2025-06-01')`.

Any client of ClickHouse reads it: `clickhouse-client`, the JDBC and ODBC drivers, Grafana's
ClickHouse data source (`occurred_at` is the time column), dbt (`deploy/dbt/sources.yml`).
`deploy/clickhouse/` has users for them.
"""


@dataclass(frozen=True)
class Relation:
    """A table or view with its comment and its columns: name, type, comment."""

    name: str
    kind: str
    comment: str
    columns: tuple[tuple[str, str, str], ...]


def read_relations(store: Store) -> tuple[Relation, ...]:
    """Return the tables and then the views of the store's database.

    Blocks, and raises what `Store` raises.
    """
    database = {"database": store.database}
    tables = store.query_frame(
        "SELECT name, engine, comment FROM system.tables WHERE database = {database:String} "
        "ORDER BY engine = 'View', name",
        database,
    )
    columns: dict[str, list[tuple[str, str, str]]] = {}
    for table, *column in store.query_frame(
        "SELECT table, name, type, comment FROM system.columns "
        "WHERE database = {database:String} ORDER BY table, position",
        database,
    ).rows():
        columns.setdefault(table, []).append((column[0], column[1], column[2]))
    return tuple(
        Relation(
            name, "view" if engine == "View" else "table", comment, tuple(columns.get(name, ()))
        )
        for name, engine, comment in tables.rows()
        if name != LEDGER
    )


def markdown(relations: tuple[Relation, ...], catalogue: Catalogue) -> str:
    """Return the data dictionary as a page of Markdown."""
    return "\n".join([_HEAD, *_relations(relations), *_actions(catalogue), *_questions()])


def dbt_sources(relations: tuple[Relation, ...], database: str) -> str:
    """Return the `sources` file of a dbt project that reads the database."""
    tables: list[dict[str, Any]] = [
        {
            "name": relation.name,
            "description": relation.comment,
            "columns": [
                {"name": name, "data_type": kind, "description": comment}
                for name, kind, comment in relation.columns
            ],
        }
        for relation in relations
        if relation.columns
    ]
    for table in tables:
        if table["name"] == "events":
            table["loaded_at_field"] = "ingested_at"
            table["freshness"] = {"warn_after": {"count": 1, "period": "hour"}}
    source = {
        "name": "audit",
        "schema": database,
        "description": "The audit log of a workspace.",
        "tables": tables,
    }
    text = yaml.safe_dump({"version": 2, "sources": [source]}, sort_keys=False, width=100)
    return f"# Made by `auditstream dictionary --dbt`.\n{text}"


def _relations(relations: tuple[Relation, ...]) -> Iterator[str]:
    for kind, title in (("table", "Tables"), ("view", "Views")):
        yield f"## {title}\n"
        for relation in relations:
            if relation.kind == kind:
                yield f"### {relation.name}\n\n{relation.comment}\n"
                if relation.columns:
                    yield from _table(("Column", "Type", "What it is"), relation.columns, code=2)


def _actions(catalogue: Catalogue) -> Iterator[str]:
    yield "## Actions\n"
    for category in catalogue.categories.values():
        yield f"### {category.title}\n\n`category = '{category.name}'`\n"
        rows = [
            (
                action.name,
                action.description,
                action.entity_type,
                ", ".join((*action.required, *(f"[{name}]" for name in action.optional))),
                " < ".join(action.roles),
                action.severity,
                f"{action.ocsf.class_uid}/{action.ocsf.activity_id}",
            )
            for action in catalogue.actions.values()
            if action.category == category.name
        ]
        head = ("Action", "What was done", "Entity type", "Has", "Roles", "Severity", "OCSF")
        yield from _table(head, rows, code=1)


def _questions() -> Iterator[str]:
    yield "## Questions\n\n`auditstream ask NAME --param NAME=VALUE` answers them.\n"
    rows = [
        (
            question.name,
            f"{question.title} {question.description}",
            ", ".join(p.name if p.required else f"[{p.name}]" for p in question.parameters),
        )
        for question in shipped_questions()
    ]
    yield from _table(("Name", "Question", "Parameters"), rows, code=1)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]], code: int) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        cells = [cell.replace("|", "\\|") for cell in row]
        cells[:code] = [f"`{cell}`" for cell in cells[:code]]
        yield f"| {' | '.join(cells)} |"
    yield ""
