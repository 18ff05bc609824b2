"""The people and things that an event speaks of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias, TypedDict

ActorType: TypeAlias = Literal["unknown", "user", "service_account", "api_token", "system"]
Outcome: TypeAlias = Literal["success", "failure", "denied"]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acted. What is None is taken from the audit context, where that knows it."""

    id: str | None = None
    type: ActorType = "user"
    username: str | None = None
    email: str | None = None
    role: str | None = None
    ip: str | None = None
    user_agent: str | None = None
    session_id: str | None = None
    on_behalf_of: str | None = None


@dataclass(frozen=True, slots=True)
class Workspace:
    """The workspace in which something happened; `username` is its name in URLs."""

    id: str
    username: str = ""


@dataclass(frozen=True, slots=True)
class Ref:
    """What was acted on: a collection, a connection, an audit log."""

    id: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """A person whose membership, role or access changed."""

    id: str
    username: str | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """A group that was acted on, or whose access changed."""

    id: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A field that the action changed, with its values before and after."""

    field: str
    old: str | None = None
    new: str | None = None


Entity: TypeAlias = Ref | Group | Workspace


class Common(TypedDict, total=False):
    """Arguments that every action takes and none requires."""

    actor: Actor | None
    outcome: Outcome
    outcome_reason: str | None
    changes: Sequence[Change]
    metadata: Mapping[str, str]
    event_id: str | None
    occurred_at: datetime | None
    correlation_id: str | None
    causation_id: str | None
    request_id: str | None
