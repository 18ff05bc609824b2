"""Events in the words of the Open Cybersecurity Schema Framework (https://schema.ocsf.io), 1.3."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

VERSION: Final = "1.3.0"

_SEVERITIES: Final = ("unknown", "informational", "low", "medium", "high", "critical")
_CATEGORIES: Final = {3: "Identity & Access Management", 6: "Application Activity"}
_OTHER: Final = 99
"""What OCSF has no number for; its name is then ours."""

_ACTIVITIES: Final[Mapping[int, Mapping[int, str]]] = {
    3001: {1: "Create", 2: "Enable"},
    3004: {1: "Create", 2: "Read", 3: "Update", 4: "Delete"},
    3005: {1: "Assign Privileges", 2: "Revoke Privileges"},
    3006: {3: "Add User", 4: "Remove User", 5: "Delete", 6: "Create"},
    6003: {1: "Create", 2: "Read", 3: "Update", 4: "Delete"},
}
_USER_TYPES: Final = {"user": (1, "User"), "system": (3, "System"), "unknown": (0, "Unknown")}


def to_ocsf(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event, under the names of the table's columns, as an OCSF event of its class."""
    class_uid, activity_id = event["ocsf_class_uid"], event["ocsf_activity_id"]
    type_id, type_name = _USER_TYPES.get(event["actor_type"], (_OTHER, event["actor_type"]))
    failed = event["outcome"] != "success"
    form = {
        "activity_id": activity_id,
        "activity_name": _ACTIVITIES[class_uid].get(activity_id, event["description"]),
        "actor": {
            "user": {
                **_named(_user(event, "actor"), event["actor_type"]),
                "type_id": type_id,
                "type": type_name,
            },
            "session": _some({"uid": event["actor_session_id"]}),
        },
        "category_name": _CATEGORIES[class_uid // 1_000],
        "category_uid": class_uid // 1_000,
        "class_uid": class_uid,
        "http_request": _some({"user_agent": event["actor_user_agent"]}),
        "message": event["sentence"],
        "metadata": {
            "correlation_uid": event["correlation_id"],
            "event_code": event["action"],
            "logged_time": _milliseconds(event["ingested_at"]),
            "product": {"name": "auditstream", "vendor_name": "auditstream"},
            "tenant_uid": event["workspace_id"],
            "uid": event["event_id"],
            "version": VERSION,
        },
        "severity": event["severity"].capitalize(),
        "severity_id": _SEVERITIES.index(event["severity"]),
        "src_endpoint": _some({"ip": event["actor_ip"]}),
        "status": "Failure" if failed else "Success",
        "status_detail": event["outcome_reason"],
        "status_id": 2 if failed else 1,
        "time": _milliseconds(event["occurred_at"]),
        "type_uid": class_uid * 100 + activity_id,
        "unmapped": {
            "workspace_username": event["workspace_username"],
            "category": event["category"],
            "previous_role": event["previous_role"],
            "metadata": {item["key"]: item["value"] for item in event["metadata"]},
        },
        **_CLASSES[class_uid](event),
    }
    return {name: _some(value) for name, value in form.items() if _some(value) not in (None, {})}


def _account_change(event: Mapping[str, Any]) -> dict[str, Any]:
    subject = _subject(event)
    result = {**subject, "type": event["role"], "type_id": _OTHER} if event["role"] else {}
    return {"user": subject, "user_result": result}


def _access(event: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "user": _subject(event),
        "privileges": [event["role"] or event["previous_role"] or "access"],
        "resource": _resource(event),
    }


def _group(event: Mapping[str, Any]) -> dict[str, Any]:
    group = {"uid": event["entity_id"], "name": event["entity_name"]}
    if event["member_id"] is not None:
        return {"group": group, "user": _user(event, "member")}
    # One of user and privileges is wanted, and no privilege is given or taken here.
    return {"group": group, "privileges": []}


def _entity(event: Mapping[str, Any]) -> dict[str, Any]:
    return {"entity": {**_resource(event), "type_id": _OTHER}}


def _api(event: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "api": {
            "operation": event["action"],
            "service": {"name": event["source_service"], "version": event["source_version"]},
        },
        "resources": [_some(_resource(event))],
        # The class requires it, known or not.
        "src_endpoint": {"ip": event["actor_ip"]} if event["actor_ip"] else {"name": "unknown"},
    }


_CLASSES: Final[Mapping[int, Callable[[Mapping[str, Any]], dict[str, Any]]]] = {
    3001: _account_change,
    3004: _entity,
    3005: _access,
    3006: _group,
    6003: _api,
}


def _subject(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return whose access it is about: a member, a group as a user of that type, or everyone."""
    if event["member_id"] is not None:
        return _user(event, "member")
    if event["group_id"] is not None:
        group = {"uid": event["group_id"], "name": event["group_name"]}
        return {**group, "type": "Group", "type_id": _OTHER, "groups": [_some(group)]}
    return {"name": "everyone in the workspace", "type": "Workspace", "type_id": _OTHER}


def _user(event: Mapping[str, Any], who: str) -> dict[str, Any]:
    return {
        "uid": event[f"{who}_id"],
        "name": event[f"{who}_username"],
        "email_addr": event[f"{who}_email"],
    }


def _named(user: dict[str, Any], otherwise: str) -> dict[str, Any]:
    """Return a user that has a name where it has no id either."""
    return user if user["uid"] or user["name"] else {**user, "name": otherwise}


def _resource(event: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "uid": event["entity_id"],
        "name": event["entity_name"],
        "type": event["entity_type"],
    }


def _some(value: Any) -> Any:
    """Return a value without what is not known: OCSF leaves absent attributes out."""
    if not isinstance(value, dict):
        return value
    known = {name: _some(item) for name, item in value.items()}
    return {name: item for name, item in known.items() if item not in (None, "", {})}


def _milliseconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1_000)
