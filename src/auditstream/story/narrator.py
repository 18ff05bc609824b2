"""From what happens to the event that tells of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any, Final, TypeAlias

from auditstream.contract.catalogue import Action
from auditstream.story import names
from auditstream.story.draft import Draft
from auditstream.story.people import Directory, Person

Datum: TypeAlias = dict[str, Any]
"""An event in the form of the Avro schema, without its source."""

DENIED: Final = 0.015
LEFT_OUT: Final = 0.3
REASON_GIVEN: Final = 0.25
MACHINES: Final[dict[str, tuple[float, str, str, str]]] = {
    "audit_log_accessed": (0.6, "api_token", "siem-export", names.EXPORT_AGENT),
    "group_member_added": (0.3, "service_account", "scim", names.PROVISIONING_AGENT),
    "group_member_removed": (0.4, "service_account", "scim", names.PROVISIONING_AGENT),
    "org_user_invitation_resent": (0.5, "system", "reminders", names.PROVISIONING_AGENT),
}
"""How often a machine does what, of which kind, under which name, with which program."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What the events of one operation share; `causation_id` is the event that began it."""

    actor: Datum
    correlation_id: str | None = None
    causation_id: str | None = None


class Narrator:
    """Tells what happens in a workspace as events."""

    def __init__(self, rng: Random, directory: Directory) -> None:
        self._rng = rng
        self._here = directory

    def actor(self, action: Action, draft: Draft, at: datetime) -> Datum:
        """Return who does it: a machine, an admin, or for assets any member."""
        rng, here = self._rng, self._here
        chance, kind, name, agent = MACHINES.get(action.name, (0.0, "", "", ""))
        if rng.random() < chance:
            return self._machine(kind, name, agent)
        everyday = action.category in ("workspace_collections", "workspace_connections")
        members = [person for person in here.active if person.role == "member"]
        crowd = members if everyday and rng.random() < 0.6 else here.admins
        others = [person for person in crowd if person is not draft.member]
        person = rng.choice(others or here.admins)
        return person.as_actor(at.toordinal(), rng)

    def intruder(self, draft: Draft, at: datetime) -> Datum:
        """Return an admin who comes from an address and with a program never seen before."""
        person = next(person for person in self._here.admins if person is not draft.member)
        stolen = {"ip": names.NIGHT_ADDRESS, "user_agent": names.NIGHT_AGENT, "session_id": None}
        return person.as_actor(at.toordinal(), self._rng) | stolen

    def outsider(self, at: datetime) -> Datum:
        """Return somebody who may not do it."""
        crowd = [person for person in self._here.active if person.role == "viewer"]
        return self._rng.choice(crowd or self._here.active).as_actor(at.toordinal(), self._rng)

    def correlation_id(self) -> str:
        """Return an identifier for an operation of several events."""
        return f"op-{self._rng.getrandbits(64):016x}"

    def tell(
        self,
        action: Action,
        draft: Draft,
        at: datetime,
        operation: Operation,
        *,
        denied: bool = False,
        previous_role: bool | None = None,
    ) -> Datum:
        """Return the event; `previous_role` tells whether it says it, None leaves it to chance."""
        rng, here = self._rng, self._here
        said = self._previous_role(action, draft, previous_role)
        return {
            "event_id": uuid7(rng, at),
            "action": action.name,
            "occurred_at": at,
            "workspace_id": here.workspace_id,
            "workspace_username": here.workspace_username,
            "actor": operation.actor,
            "entity": self._entity(action, draft),
            "member": draft.member.as_member() if draft.member else None,
            "group": draft.group.as_group() if draft.group else None,
            "role": draft.role,
            "previous_role": said,
            "outcome": "denied" if denied else "success",
            "outcome_reason": rng.choice(names.DENIALS) if denied else None,
            "correlation_id": operation.correlation_id,
            "causation_id": operation.causation_id,
            "request_id": f"req-{rng.getrandbits(64):016x}",
            "changes": [{"field": "role", "old": said, "new": draft.role}] if said else [],
            "metadata": self._metadata(action),
        }

    def _previous_role(self, action: Action, draft: Draft, say: bool | None) -> str | None:
        if "previous_role" not in action.fields or draft.previous_role is None:
            return None
        if say is None:
            say = not draft.in_history or self._rng.random() >= LEFT_OUT
        return draft.previous_role if say else None

    def _entity(self, action: Action, draft: Draft) -> Datum:
        here = self._here
        if draft.entity is not None:
            identifier, name = draft.entity.id, draft.entity.name
        elif action.entity_type == "workspace":
            identifier, name = here.workspace_id, here.workspace_name
        else:
            identifier, name = f"log-{here.workspace_id}", f"Audit log of {here.workspace_name}"
        return {"type": action.entity_type, "id": identifier, "name": name}

    def _machine(self, kind: str, name: str, agent: str) -> Datum:
        owner: Person = self._here.admins[0]
        return {
            "type": kind,
            "id": f"{name}-{self._here.workspace_username}",
            "username": name,
            "email": None,
            "role": None,
            "ip": None if kind == "system" else "10.20.0.14",
            "user_agent": None if kind == "system" else agent,
            "session_id": None,
            "on_behalf_of": owner.id if kind == "api_token" else None,
        }

    def _metadata(self, action: Action) -> list[Datum]:
        rng = self._rng
        if action.category == "audit_logs_access":
            return [{"key": "entries", "value": str(rng.randrange(1, 1000))}]
        if rng.random() < REASON_GIVEN:
            return [{"key": "reason", "value": rng.choice(names.REASONS)}]
        return []


def uuid7(rng: Random, at: datetime) -> str:
    """Return a version 7 UUID (RFC 9562) of that time, its random part from `rng`."""
    milliseconds = int(at.timestamp() * 1000)
    bits = rng.getrandbits(74)
    high, low = bits >> 62, bits & ((1 << 62) - 1)
    text = f"{milliseconds:012x}7{high:03x}{(1 << 63) | low:016x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
