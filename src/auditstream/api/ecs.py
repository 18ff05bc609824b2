"""Events in the words of the Elastic Common Schema (https://www.elastic.co/guide/en/ecs), 8.11."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

VERSION: Final = "8.11.0"

_SEVERITIES: Final = {"informational": 1, "low": 21, "medium": 47, "high": 73, "critical": 99}
_CATEGORIES: Final = {
    "workspace_collections": ["iam", "configuration"],
    "workspace_connections": ["iam", "configuration"],
    "audit_logs_access": ["api"],
}
_TYPES: Final = {
    "created": "creation",
    "invited": "creation",
    "deleted": "deletion",
    "accessed": "access",
}


def to_ecs(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event, under the names of the table's columns, as an ECS document."""
    users = [event[f"{who}_{name}"] for who in ("actor", "member") for name in ("id", "username")]
    form = {
        "@timestamp": event["occurred_at"],
        "ecs": {"version": VERSION},
        "message": event["sentence"],
        "event": {
            "kind": "event",
            "id": event["event_id"],
            "action": event["action"],
            "category": _CATEGORIES.get(event["category"], ["iam"]),
            "type": _types(event),
            "outcome": "success" if event["outcome"] == "success" else "failure",
            "reason": event["outcome_reason"],
            "severity": _SEVERITIES[event["severity"]],
            "ingested": event["ingested_at"],
            "module": "auditstream",
            "dataset": "auditstream.events",
            "provider": event["source_service"],
            "sequence": event["source_sequence"],
        },
        "user": {
            "id": event["actor_id"],
            "name": event["actor_username"],
            "email": event["actor_email"],
            "roles": [event["actor_role"]] if event["actor_role"] else None,
            "target": {
                "id": event["member_id"],
                "name": event["member_username"],
                "email": event["member_email"],
                "roles": [event["role"]] if event["role"] and event["member_id"] else None,
            },
        },
        "group": _group(event),
        "organization": {"id": event["workspace_id"], "name": event["workspace_username"]},
        "source": {
            "ip": event["actor_ip"],
            "geo": {"country_iso_code": event["country"]},
            "as": {"organization": {"name": event["network"]}},
        },
        "user_agent": {
            "original": event["actor_user_agent"],
            "name": event["user_agent_family"],
            "os": {"name": event["user_agent_os"]},
        },
        "service": {
            "name": event["source_service"],
            "version": event["source_version"],
            "node": {"name": event["source_instance"]},
        },
        "trace": {"id": event["correlation_id"]},
        "http": {"request": {"id": event["request_id"]}},
        "related": {
            "user": sorted({user for user in users if user}),
            "ip": [event["actor_ip"]] if event["actor_ip"] else None,
        },
        "labels": {item["key"].replace(".", "_"): item["value"] for item in event["metadata"]},
        # Fields of our own stand under a name of our own, as ECS advises.
        "auditstream": {
            "entity": {
                "id": event["entity_id"],
                "name": event["entity_name"],
                "type": event["entity_type"],
            },
            "outcome": event["outcome"],
            "role": event["role"],
            "previous_role": event["previous_role"],
            "role_change": event["role_change"],
        },
    }
    known = _some(form)
    return known if isinstance(known, dict) else {}


def _types(event: Mapping[str, Any]) -> list[str]:
    verb = event["action"].rpartition("_")[2]
    types = [_TYPES.get(verb, "change")]
    if event["outcome"] == "denied" and event["category"] == "audit_logs_access":
        # Of the categories in use, only that of APIs knows it.
        types.append("denied")
    if event["category"] == "user_groups" or event["group_id"] is not None:
        types.append("group")
    elif event["member_id"] is not None:
        types.append("user")
    return types


def _group(event: Mapping[str, Any]) -> dict[str, Any]:
    if event["group_id"] is not None:
        return {"id": event["group_id"], "name": event["group_name"]}
    if event["entity_type"] == "workspace_group":
        return {"id": event["entity_id"], "name": event["entity_name"]}
    return {}


def _some(value: Any) -> Any:
    """Return a value without what is not known: ECS leaves absent fields out."""
    if not isinstance(value, dict):
        return value
    known = {name: _some(item) for name, item in value.items()}
    return {name: item for name, item in known.items() if item not in (None, "", {}, [])}
