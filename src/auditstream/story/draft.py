"""What a step may be told, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, TypeAlias, TypeVar

from auditstream.story.people import Asset, Directory, Group, Person

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Focus:
    """Whom or what a step has to be about, where it continues an operation."""

    person: Person | None = None
    group: Group | None = None
    asset: Asset | None = None
    role: str | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """What would happen; `entity` None is the workspace, `in_history` speaks of previous_role."""

    apply: Callable[[], object]
    entity: Group | Asset | None = None
    member: Person | None = None
    group: Group | None = None
    role: str | None = None
    previous_role: str | None = None
    in_history: bool = False


Step: TypeAlias = Callable[[Directory, Random, Focus], Draft | None]
NOBODY: Final = Focus()


def pick(rng: Random, things: Sequence[T]) -> T | None:
    """Return any of the things, None of none."""
    return rng.choice(things) if things else None


def nothing() -> None:
    """Change nothing: an action that leaves no trace but its event."""
