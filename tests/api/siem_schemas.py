"""What OCSF 1.3.0 and ECS 8.11 say of the attributes that are in use, in words of our own.

Of OCSF: the classes and objects with the attributes that may stand in them and their types, which
are required, of which at least one has to be there, and the numbers that are defined. Of ECS: the
fields with their types, and which types of events go with which category.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

Check = Callable[[Any], bool]


def _text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _address(value: Any) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def _mail(value: Any) -> bool:
    return _text(value) and re.fullmatch(r"[^@\s]+@[^@\s]+", value) is not None


def _milliseconds(value: Any) -> bool:
    return _integer(value) and 10**12 < value < 10**13


def _moment(value: Any) -> bool:
    return _text(value) and datetime.fromisoformat(value).tzinfo is not None


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_text, value))


def _object(value: Any) -> bool:
    return isinstance(value, dict)


def among(*numbers: int) -> Check:
    """Return whether a value is one of the numbers, or unknown, or other."""
    return lambda value: _integer(value) and value in {0, 99, *numbers}


@dataclass(frozen=True)
class Kind:
    """A class or an object: its attributes, and which of them have to be there."""

    attributes: Mapping[str, Check | str]
    required: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()


_ENTITY: Final = {"uid": _text, "name": _text}

OBJECTS: Final = {
    "user": Kind(
        {
            **_ENTITY,
            "email_addr": _mail,
            "type": _text,
            "type_id": among(1, 2, 3),
            "groups": "[group]",
        },
        one_of=("account", "name", "uid"),
    ),
    "group": Kind({**_ENTITY, "type": _text, "privileges": _texts}, one_of=("name", "uid")),
    "actor": Kind({"user": "user", "session": "session"}, one_of=("user", "session")),
    "session": Kind({"uid": _text}),
    "managed_entity": Kind(
        {**_ENTITY, "type": _text, "type_id": among(1, 2, 3, 4, 5, 6)}, one_of=("name", "uid")
    ),
    "resource_details": Kind({**_ENTITY, "type": _text}, one_of=("name", "uid")),
    "metadata": Kind(
        {
            "correlation_uid": _text,
            "event_code": _text,
            "logged_time": _milliseconds,
            "product": "product",
            "tenant_uid": _text,
            "uid": _text,
            "version": lambda value: value == "1.3.0",
        },
        required=("product", "version"),
    ),
    "product": Kind({**_ENTITY, "vendor_name": _text}, required=("vendor_name",), one_of=("name",)),
    "http_request": Kind({"user_agent": _text}),
    "network_endpoint": Kind({**_ENTITY, "ip": _address}, one_of=("ip", "uid", "name")),
    "api": Kind({"operation": _text, "service": "service"}, required=("operation",)),
    "service": Kind({**_ENTITY, "version": _text}, one_of=("name", "uid")),
}

_EVENT: Final[Mapping[str, Check | str]] = {
    "activity_id": _integer,
    "activity_name": _text,
    "actor": "actor",
    "category_name": _text,
    "category_uid": _integer,
    "class_uid": _integer,
    "http_request": "http_request",
    "message": _text,
    "metadata": "metadata",
    "severity": _text,
    "severity_id": among(1, 2, 3, 4, 5, 6),
    "src_endpoint": "network_endpoint",
    "status": _text,
    "status_detail": _text,
    "status_id": among(1, 2),
    "time": _milliseconds,
    "type_uid": _integer,
    "unmapped": _object,
}
_REQUIRED: Final = (
    *("activity_id", "category_uid", "class_uid", "metadata"),
    *("severity_id", "time", "type_uid"),
)

CLASSES: Final = {
    3001: Kind(
        {**_EVENT, "activity_id": among(*range(1, 12)), "user": "user", "user_result": "user"},
        required=(*_REQUIRED, "user"),
    ),
    3004: Kind(
        {**_EVENT, "activity_id": among(*range(1, 14)), "entity": "managed_entity"},
        required=(*_REQUIRED, "entity"),
    ),
    3005: Kind(
        {
            **_EVENT,
            "activity_id": among(1, 2),
            "privileges": _texts,
            "resource": "resource_details",
            "user": "user",
        },
        required=(*_REQUIRED, "privileges", "user"),
    ),
    3006: Kind(
        {
            **_EVENT,
            "activity_id": among(*range(1, 7)),
            "group": "group",
            "privileges": _texts,
            "resource": "resource_details",
            "user": "user",
        },
        required=(*_REQUIRED, "group"),
        one_of=("privileges", "user"),
    ),
    6003: Kind(
        {
            **_EVENT,
            "activity_id": among(1, 2, 3, 4),
            "api": "api",
            "resources": "[resource_details]",
        },
        required=(*_REQUIRED, "actor", "api", "src_endpoint"),
    ),
}


ACTIVITIES: Final = {
    3001: {1: "Create", 2: "Enable", 5: "Disable", 6: "Delete"},
    3004: {1: "Create", 2: "Read", 3: "Update", 4: "Delete"},
    3005: {1: "Assign Privileges", 2: "Revoke Privileges"},
    3006: {
        1: "Assign Privileges",
        2: "Revoke Privileges",
        3: "Add User",
        4: "Remove User",
        5: "Delete",
        6: "Create",
    },
    6003: {1: "Create", 2: "Read", 3: "Update", 4: "Delete"},
}
"""Names that belong to numbers of activities; another one's is the source's own."""

USER_TYPES: Final = {0: "Unknown", 1: "User", 2: "Admin", 3: "System"}


def ocsf_faults(event: Mapping[str, Any]) -> list[str]:
    """Return what OCSF finds wrong with an event, by attribute."""
    kind = CLASSES.get(event.get("class_uid", 0))
    if kind is None:
        return [f"class_uid: {event.get('class_uid')}"]
    faults = list(_faults("", kind, event))
    class_uid, activity_id = event["class_uid"], event["activity_id"]
    if event["type_uid"] != class_uid * 100 + activity_id:
        faults.append("type_uid: is not that of class and activity")
    if event["category_uid"] != class_uid // 1_000:
        faults.append("category_uid: is not that of the class")
    name = ACTIVITIES[class_uid].get(activity_id, event.get("activity_name"))
    if event.get("activity_name") != name:
        faults.append(f"activity_name: {activity_id} is {name}")
    users = (event["actor"]["user"], event.get("user", {}))
    return faults + [
        f"user.type: {user['type']} is not {user['type_id']}"
        for user in users
        if user.get("type") != USER_TYPES.get(user.get("type_id", 99), user.get("type"))
    ]


def _faults(path: str, kind: Kind, value: Any) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path}: is no object"
        return
    for name in kind.required:
        if name not in value:
            yield f"{path}{name}: is missing"
    if kind.one_of and not set(kind.one_of) & set(value):
        yield f"{path}: has none of {', '.join(kind.one_of)}"
    for name, item in value.items():
        check = kind.attributes.get(name)
        if check is None:
            yield f"{path}{name}: is unknown"
        elif isinstance(check, str):
            items = item if check.startswith("[") else [item]
            for each in items:
                yield from _faults(f"{path}{name}.", OBJECTS[check.strip("[]")], each)
        elif not check(item):
            yield f"{path}{name}: {item!r}"


FIELDS: Final[Mapping[str, Check]] = {
    "@timestamp": _moment,
    "ecs.version": lambda value: value == "8.11.0",
    "message": _text,
    "event.kind": lambda value: value == "event",
    "event.id": _text,
    "event.action": _text,
    "event.category": _texts,
    "event.type": _texts,
    "event.outcome": lambda value: value in {"success", "failure", "unknown"},
    "event.reason": _text,
    "event.severity": _integer,
    "event.ingested": _moment,
    "event.module": _text,
    "event.dataset": _text,
    "event.provider": _text,
    "event.sequence": _integer,
    **{
        f"user.{of}{name}": check
        for of in ("", "target.")
        for name, check in {"id": _text, "name": _text, "email": _text, "roles": _texts}.items()
    },
    "group.id": _text,
    "group.name": _text,
    "organization.id": _text,
    "organization.name": _text,
    "source.ip": _address,
    "source.geo.country_iso_code": lambda value: re.fullmatch("[A-Z]{2}", value) is not None,
    "source.as.organization.name": _text,
    "user_agent.original": _text,
    "user_agent.name": _text,
    "user_agent.os.name": _text,
    "service.name": _text,
    "service.version": _text,
    "service.node.name": _text,
    "trace.id": _text,
    "http.request.id": _text,
    "related.user": _texts,
    "related.ip": lambda value: isinstance(value, list) and all(map(_address, value)),
}

TYPES: Final = {
    "iam": {"admin", "change", "creation", "deletion", "group", "info", "user"},
    "configuration": {"access", "change", "creation", "deletion", "info"},
    "api": {
        *("access", "admin", "allowed", "change", "creation", "deletion"),
        *("denied", "end", "info", "start", "user"),
    },
}
"""Types of events that are expected of each category in use."""

OWN: Final = "auditstream."
LABELS: Final = "labels."


def ecs_faults(document: Mapping[str, Any]) -> list[str]:
    """Return what ECS finds wrong with a document, by field; fields of our own are our own."""
    faults = []
    for name, value in _flat("", document):
        if name.startswith(OWN):
            continue
        if name.startswith(LABELS):
            if "." in name.removeprefix(LABELS) or not isinstance(value, str | bool | int | float):
                faults.append(f"{name}: {value!r}")
        elif name not in FIELDS:
            faults.append(f"{name}: is unknown")
        elif not FIELDS[name](value):
            faults.append(f"{name}: {value!r}")
    event = document["event"]
    known = set().union(*(TYPES.get(category, set()) for category in event["category"]))
    faults += [f"event.category: {name}" for name in event["category"] if name not in TYPES]
    faults += [f"event.type: {name}" for name in event["type"] if name not in known]
    return faults + [
        f"{name}: is missing" for name in ("@timestamp", "ecs") if name not in document
    ]


def _flat(path: str, value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, item in value.items():
        if isinstance(item, dict):
            yield from _flat(f"{path}{name}.", item)
        else:
            yield f"{path}{name}", item
