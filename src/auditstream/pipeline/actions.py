"""The catalogue as columns: what each action is and allows, by the number of the action."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import polars as pl

from auditstream.contract.catalogue import SUBJECT_FIELDS, Action, Catalogue, role_ranks

FORBIDDEN, OPTIONAL, REQUIRED = range(3)

_DTYPES: Final[dict[str, Any]] = {
    "entity_type": pl.String,
    "category": pl.String,
    "severity": pl.String,
    "description": pl.String,
    "ocsf_class_uid": pl.UInt16,
    "ocsf_activity_id": pl.UInt8,
    "has_scale": pl.Boolean,
    "is_removal": pl.Boolean,
    "highest_rank": pl.UInt8,
    **dict.fromkeys(SUBJECT_FIELDS, pl.UInt8),
}


class Actions:
    """The catalogue for use in expressions.

    An action's number is its place in the catalogue, a role's number its place in `roles`, all
    roles of all scales in lower case.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        actions = list(catalogue.actions.values())
        self.roles = sorted({role for action in actions for role in action.roles})
        self._names = pl.Enum(list(catalogue.actions))
        self._role_names = pl.Enum(self.roles)
        columns = pl.DataFrame([_facts(action) for action in actions], schema=_DTYPES)
        self._columns = {column.name: column for column in columns}
        self._ranks = pl.Series(
            [rank for action in actions for rank in _ranks(action, self.roles)], dtype=pl.UInt8
        )

    def number(self) -> pl.Expr:
        """Return the number of the event's action, null when it is not in the catalogue."""
        return pl.col("action").cast(self._names, strict=False).to_physical().cast(pl.UInt32)

    def fact(self, name: str) -> pl.Expr:
        """Return a fact about the event's action, from the column `action_number`.

        `name` is a column of the final frame, `entity_type`, `has_scale`, `is_removal`, or a
        subject field, whose fact is FORBIDDEN, OPTIONAL or REQUIRED.
        """
        return pl.lit(self._columns[name]).gather(pl.col("action_number"))

    def rank(self, role: pl.Expr) -> pl.Expr:
        """Return the rank of a role in lower case on the action's scale, null if not on it."""
        number = role.cast(self._role_names, strict=False).to_physical().cast(pl.UInt32)
        place = pl.col("action_number") * len(self.roles) + number
        return pl.lit(self._ranks).gather(place)


def _facts(action: Action) -> dict[str, Any]:
    return {
        "entity_type": action.entity_type,
        "category": action.category,
        "severity": action.severity,
        "description": action.description,
        "ocsf_class_uid": action.ocsf.class_uid,
        "ocsf_activity_id": action.ocsf.activity_id,
        "has_scale": bool(action.roles),
        "is_removal": bool(action.roles) and "role" not in action.fields,
        "highest_rank": max(role_ranks(action.roles).values(), default=None),
        **{name: _presence(action, name) for name in SUBJECT_FIELDS},
    }


def _presence(action: Action, name: str) -> int:
    if name in action.required:
        return REQUIRED
    return OPTIONAL if name in action.optional else FORBIDDEN


def _ranks(action: Action, roles: Iterable[str]) -> list[int | None]:
    ranks = role_ranks(action.roles)
    return [ranks.get(role) for role in roles]
