"""Check one event against schema, bounds and catalogue: the rules every stored event meets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from auditstream.contract.address import canonical_address
from auditstream.contract.catalogue import SUBJECT_FIELDS, Action, Catalogue
from auditstream.contract.fields import Field, Kind, event_fields
from auditstream.contract.limits import EARLIEST, MAX_FUTURE_SECONDS, MAX_ITEMS
from auditstream.contract.reasons import Reason
from auditstream.errors import Problem

UUID_PATTERN: Final = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
_UUID: Final = re.compile(UUID_PATTERN.strip("^$"))
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LONG: Final = range(-(2**63), 2**63)
_EXPECTED: Final = {
    "string": "text",
    "long": "a 64-bit integer",
    "record": "a record",
    "array": "a list",
}


@dataclass(frozen=True, slots=True)
class _Context:
    action: Action | None
    latest: datetime


def check_event(
    event: Mapping[str, Any],
    catalogue: Catalogue,
    now: datetime,
    max_future_seconds: float = MAX_FUTURE_SECONDS,
) -> tuple[Problem, ...]:
    """Return everything that is wrong with an event, empty when it meets the contract.

    `event` is a datum of the Avro schema as plain Python values; `event_id` may also be a UUID and
    `occurred_at` an aware datetime instead of microseconds. Problems stand in the order of the
    schema's fields, one at most for each field.
    """
    name = event.get("action")
    action = catalogue.actions.get(name) if isinstance(name, str) else None
    context = _Context(action, now + timedelta(seconds=max_future_seconds))
    return tuple(_check_record(event, "", event_fields(), context))


def _check_record(
    record: Mapping[str, Any], prefix: str, fields: tuple[Field, ...], context: _Context
) -> Iterator[Problem]:
    found = 0
    for field in fields:
        found += field.name in record
        yield from _check_field(record.get(field.name), record, prefix + field.name, field, context)
    if found < len(record):
        known = {field.name for field in fields}
        for name in record:
            if name not in known:
                yield _problem("extra_field", f"{prefix}{name}", "is not a field of the schema")


def _check_field(
    value: Any, record: Mapping[str, Any], path: str, field: Field, context: _Context
) -> Iterator[Problem]:
    if path in SUBJECT_FIELDS and context.action is not None:
        problem = _check_presence(value, path, context.action)
        if problem is not None:
            yield problem
            return
    if value is None:
        if field.nullable or (field.has_default and field.name not in record):
            return
        if field.has_default:
            yield _problem("wrong_type", path, "is null: leave it out or give a value")
        else:
            yield _problem("missing_field", path, "is missing, every event has it")
    elif field.kind == "string":
        problem = _check_string(value, path, field, context)
        if problem is not None:
            yield problem
    elif field.kind == "long":
        problem = _check_time(value, path, context) if path == "occurred_at" else _long(value, path)
        if problem is not None:
            yield problem
    elif field.kind == "enum":
        if not isinstance(value, str) or value not in field.symbols:
            yield _problem("wrong_type", path, f"{value!r} is not one of {_list(field.symbols)}")
    elif field.kind == "record":
        if isinstance(value, Mapping):
            yield from _check_record(value, path + ".", field.children, context)
        else:
            yield _wrong_type(value, path, field.kind)
    elif isinstance(value, list | tuple):
        yield from _check_items(value, path, field, context)
    else:
        yield _wrong_type(value, path, field.kind)


def _check_items(
    items: list[Any] | tuple[Any, ...], path: str, field: Field, context: _Context
) -> Iterator[Problem]:
    if len(items) > MAX_ITEMS:
        yield _problem("too_long", path, f"has {len(items)} items, at most {MAX_ITEMS} are taken")
        return
    for number, item in enumerate(items):
        if isinstance(item, Mapping):
            yield from _check_record(item, f"{path}[{number}].", field.children, context)
        else:
            yield _wrong_type(item, f"{path}[{number}]", "record")


def _check_presence(value: Any, path: str, action: Action) -> Problem | None:
    if value is None and path in action.required:
        return _problem("missing_field", path, f"is missing, {action.name} requires it")
    if value is not None and path not in action.fields:
        return _problem("extra_field", path, f"is given, {action.name} has no {path}")
    return None


def _check_string(value: Any, path: str, field: Field, context: _Context) -> Problem | None:
    if path == "event_id" and isinstance(value, UUID):
        return None
    if not isinstance(value, str):
        return _wrong_type(value, path, "string")
    if not value:
        return None if field.may_be_empty else _problem("empty_string", path, "is empty")
    if len(value) > field.max_length:
        bound = f"at most {field.max_length} are taken"
        return _problem("too_long", path, f"has {len(value)} characters, {bound}")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            return _problem("invalid_utf8", path, "holds a lone surrogate, which is not text")
    return _check_content(value, path, context)


def _check_content(value: str, path: str, context: _Context) -> Problem | None:
    action = context.action
    if path == "event_id" and not _UUID.fullmatch(value):
        form = "is not a UUID of the form 0190163d-8694-739b-aea5-966c26f8ad91"
        return _problem("invalid_uuid", path, f"{value!r} {form}")
    if path == "action" and action is None:
        return _problem("unknown_action", path, f"{value!r} is not in the catalogue of actions")
    if path == "actor.ip" and canonical_address(value) is None:
        return _problem("invalid_ip", path, f"{value!r} is neither an IPv4 nor an IPv6 address")
    if action is None:
        return None
    if path == "entity.type" and value != action.entity_type:
        right = f"the entity of {action.name} is a {action.entity_type}"
        return _problem("wrong_entity_type", path, f"{value!r} is wrong: {right}")
    if path in ("role", "previous_role") and value.lower() not in action.roles:
        right = f"{action.name} knows {_list(action.roles)}"
        return _problem("unknown_role", path, f"{value!r} is not a role here: {right}")
    return None


def _check_time(value: Any, path: str, context: _Context) -> Problem | None:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            return _problem("wrong_type", path, "is a time without a time zone, give an aware one")
        value = (value - _EPOCH) // timedelta(microseconds=1)
    problem = _long(value, path)
    if problem is not None:
        return problem
    if value < _micros(EARLIEST):
        return _problem("time_too_early", path, f"lies before {EARLIEST.date().isoformat()}")
    if value > _micros(context.latest):
        return _problem("time_too_late", path, "lies too far in the future")
    return None


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _long(value: Any, path: str) -> Problem | None:
    if isinstance(value, bool) or not isinstance(value, int) or value not in _LONG:
        return _wrong_type(value, path, "long")
    return None


def _wrong_type(value: Any, path: str, kind: Kind) -> Problem:
    return _problem("wrong_type", path, f"is {type(value).__name__}, not {_EXPECTED[kind]}")


def _problem(reason: Reason, path: str, message: str) -> Problem:
    return Problem(reason, path, message)


def _list(values: tuple[str, ...]) -> str:
    return ", ".join(values)
