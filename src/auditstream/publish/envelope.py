"""The envelope of an event: a datum of `schemas/audit_event.avsc` as a plain dict."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

from auditstream.contract.catalogue import Catalogue
from auditstream.contract.ids import uuid7
from auditstream.publish.context import AuditContext
from auditstream.publish.values import Actor, Common, Entity, Group, Member, Ref, Workspace

Envelope: TypeAlias = dict[str, Any]

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def build_envelope(
    catalogue: Catalogue,
    context: AuditContext,
    now: datetime,
    action: str,
    *,
    workspace: Workspace | None,
    entity: Entity | None,
    member: Member | None,
    group: Group | None,
    role: str | None,
    previous_role: str | None,
    common: Common,
) -> Envelope:
    """Return the envelope of an event without its `source`; what is missing is None."""
    workspace = workspace or context.workspace
    known = catalogue.actions.get(action)
    if entity is None and known is not None and known.entity_argument == "workspace":
        entity = workspace
    changes, metadata = common.get("changes") or (), common.get("metadata") or {}
    return {
        "event_id": common.get("event_id") or str(uuid7()),
        "action": action,
        "occurred_at": common.get("occurred_at") or now,
        "workspace_id": workspace.id if workspace else None,
        "workspace_username": workspace.username if workspace else "",
        "actor": _actor(common.get("actor"), context),
        "entity": _entity(entity, known.entity_type if known else "unknown"),
        "member": _member(member),
        "group": {"id": group.id, "name": group.name} if group else None,
        "role": role,
        "previous_role": previous_role,
        "outcome": common.get("outcome", "success"),
        "outcome_reason": common.get("outcome_reason"),
        "correlation_id": common.get("correlation_id") or context.correlation_id,
        "causation_id": common.get("causation_id") or context.causation_id,
        "request_id": common.get("request_id") or context.request_id,
        "changes": [
            {"field": change.field, "old": change.old, "new": change.new} for change in changes
        ],
        "metadata": [{"key": key, "value": value} for key, value in metadata.items()],
    }


def normal_envelope(event: Mapping[str, Any]) -> Envelope:
    """Return a checked event in the form that is sent: id and roles lower case, times in UTC."""
    occurred_at = event["occurred_at"]
    if isinstance(occurred_at, int):
        occurred_at = EPOCH + timedelta(microseconds=occurred_at)
    role, previous_role = event.get("role"), event.get("previous_role")
    return {
        **event,
        "event_id": str(event["event_id"]).lower(),
        "occurred_at": occurred_at.astimezone(UTC),
        "role": role and role.lower(),
        "previous_role": previous_role and previous_role.lower(),
    }


def _actor(given: Actor | None, context: AuditContext) -> Envelope:
    actor = given
    if actor is None:
        actor = context.actor() if callable(context.actor) else context.actor
    if actor is None:
        actor = Actor(type="unknown")
    return {
        "type": actor.type,
        "id": actor.id,
        "username": actor.username,
        "email": actor.email,
        "role": actor.role,
        "ip": actor.ip or context.ip,
        "user_agent": actor.user_agent or context.user_agent,
        "session_id": actor.session_id or context.session_id,
        "on_behalf_of": actor.on_behalf_of,
    }


def _entity(entity: Entity | None, entity_type: str) -> Envelope | None:
    match entity:
        case None:
            return None
        case Workspace():
            return {"type": entity_type, "id": entity.id, "name": entity.username or None}
        case Ref() | Group():
            return {"type": entity_type, "id": entity.id, "name": entity.name}


def _member(member: Member | None) -> Envelope | None:
    if member is None:
        return None
    return {"id": member.id, "username": member.username, "email": member.email}
