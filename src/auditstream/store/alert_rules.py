"""Rules that have raised alerts in a workspace."""
# ruff: noqa: S608 - names come from checked settings, values are parameters

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from auditstream.store.connection import Store

MOST: Final = 1_000


@dataclass(frozen=True)
class Fired:
    """A rule with its newest title, and how many alerts it has raised."""

    rule_id: str
    title: str
    alerts: int


def rules_of(store: Store, workspace_id: str) -> list[Fired]:
    """Return the rules with alerts in a workspace, by title. Blocks; raises what `Store` raises."""
    found = store.query_frame(
        "SELECT a.rule_id, argMax(a.rule_title, a.detected_at) AS title, count() "
        f"FROM {store.database}.alerts AS a WHERE a.workspace_id = {{workspace:String}} "
        f"GROUP BY a.rule_id ORDER BY title, a.rule_id LIMIT {MOST}",
        {"workspace": workspace_id},
        {"readonly": 2},
    )
    return [Fired(*row) for row in found.rows()]
