"""What exists in a workspace of the story: people, groups, collections and connections."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeAlias

from auditstream.story import names
from auditstream.story.dice import dice


@dataclass(eq=False, slots=True)
class Person:
    """A person; `role_in_history` tells whether an event has said the role."""

    id: str
    username: str
    email: str
    role: str
    addresses: tuple[str, ...]
    user_agent: str
    role_in_history: bool = False
    session: tuple[int, str, str] = (0, "", "")

    def as_member(self) -> dict[str, Any]:
        """Return the person as an event's member."""
        return {"id": self.id, "username": self.username, "email": self.email}

    def as_actor(self, day: int, rng: Random) -> dict[str, Any]:
        """Return the person as an event's actor; address and session stay for a day."""
        if self.session[0] != day:
            address = rng.choices(self.addresses, (6, 2, 2))[0]
            self.session = day, address, f"s-{rng.getrandbits(48):012x}"
        return {
            "type": "user",
            "id": self.id,
            "username": self.username,
            "email": self.email,
            "role": self.role,
            "ip": self.session[1],
            "user_agent": self.user_agent,
            "session_id": self.session[2],
            "on_behalf_of": None,
        }


@dataclass(eq=False, slots=True)
class Group:
    """A group and who is in it."""

    id: str
    name: str
    members: dict[Person, None] = field(default_factory=dict)

    def as_group(self) -> dict[str, Any]:
        """Return the group as an event's group."""
        return {"id": self.id, "name": self.name}


Holder: TypeAlias = Person | Group
"""Who may be given access."""


@dataclass(eq=False, slots=True)
class Asset:
    """A collection or connection, and the role of everybody who has access to it.

    A role is None where no event has said it.
    """

    id: str
    name: str
    members: dict[Holder, str | None] = field(default_factory=dict)
    groups: dict[Holder, str | None] = field(default_factory=dict)
    everyone: str | None = None


class Directory:
    """Everybody and everything in one workspace, in the order in which it came."""

    def __init__(self, rng: Random, number: int) -> None:
        name, username = names.WORKSPACES[number % len(names.WORKSPACES)]
        again = number // len(names.WORKSPACES)
        self.workspace_id = f"ws-{dice('workspace', number).getrandbits(40):010x}"
        self.workspace_name = f"{name} {again + 1}" if again else name
        self.workspace_username = f"{username}-{again + 1}" if again else username
        self._rng = rng
        self._used: set[str] = set()
        self.admins: list[Person] = [self.new_person("admin") for _ in range(3)]
        self.active = [self.new_person("member" if n % 4 else "viewer") for n in range(16)]
        self.former = [self.new_person("member" if n % 2 else "viewer") for n in range(6)]
        self.pending: list[Person] = []
        self.groups: list[Group] = []
        self.collections: list[Asset] = []
        self.connections: list[Asset] = []

    def new_person(self, role: str) -> Person:
        """Return somebody new, who is not yet anywhere."""
        rng = self._rng
        first, last = rng.choice(names.FIRST_NAMES), rng.choice(names.LAST_NAMES)
        username = self._unused(f"{first}.{last}".lower())
        number = rng.getrandbits(16)
        return Person(
            id=f"u-{rng.getrandbits(48):012x}",
            username=username,
            email=f"{username}@{self.workspace_username}.example",
            role=role,
            addresses=names.addresses(number),
            user_agent=rng.choice(names.USER_AGENTS),
        )

    def new_group(self) -> Group:
        """Return a new group, which is not yet in the workspace."""
        return Group(self._id("g"), self._unused(self._rng.choice(names.GROUPS)))

    def new_asset(self, prefix: str, pool: list[str]) -> Asset:
        """Return a new collection or connection, which is not yet in the workspace."""
        return Asset(self._id(prefix), self._unused(self._rng.choice(pool)))

    def settle(self) -> None:
        """Let time pass: an invited person comes, another leaves."""
        if len(self.pending) > 2 and self._rng.random() < 0.1:
            self.active.append(self.pending.pop(0))
        if len(self.active) > 12 and self._rng.random() < 0.01:
            self.former.append(self.active.pop(self._rng.randrange(len(self.active))))

    def _id(self, prefix: str) -> str:
        return f"{prefix}-{self._rng.getrandbits(48):012x}"

    def _unused(self, name: str) -> str:
        candidate, number = name, 1
        while candidate in self._used:
            number += 1
            candidate = f"{name}{number}" if "." in name else f"{name} {number}"
        self._used.add(candidate)
        return candidate
