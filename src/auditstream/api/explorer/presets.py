"""The three questions of a reviewer, each one click."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from auditstream.contract.catalogue import Catalogue

_MEMBERSHIPS: Final = ("group_member_added", "group_member_removed")
_THINGS: Final = ("user_groups", "workspace_collections", "workspace_connections")
_THING_TYPES: Final = ("workspace_collection", "workspace_connection")


@dataclass(frozen=True)
class Preset:
    """A question, and the values of filters that answer it."""

    title: str
    filters: tuple[tuple[str, str], ...]


def presets(catalogue: Catalogue) -> tuple[Preset, ...]:
    """Return the questions about the actions of a catalogue."""
    people = [
        name
        for name, action in catalogue.actions.items()
        if action.category == "user_membership" or name in _MEMBERSHIPS
    ]
    # Access to a thing changes by whom it is given to, or by what all have by default.
    access = [
        name
        for name, action in catalogue.actions.items()
        if (action.entity_type in _THING_TYPES and {"member", "group"} & set(action.fields))
        or name.endswith("_access_changed")
    ]
    return (
        Preset("Everything", ()),
        Preset("Roles and memberships", _each("action", people)),
        Preset("Groups, collections, connections", _each("category", _THINGS)),
        Preset("Access and permissions", _each("action", access)),
    )


def _each(name: str, values: list[str] | tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for value in values)
