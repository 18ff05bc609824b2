"""Reason codes of rejected events: stable names, each with what it means."""

from __future__ import annotations

from typing import Final, Literal, get_args

Reason = Literal[
    "null_value",
    "null_key",
    "too_large",
    "not_framed",
    "unknown_schema",
    "not_avro",
    "truncated",
    "trailing_bytes",
    "invalid_utf8",
    "unknown_action",
    "missing_field",
    "extra_field",
    "wrong_entity_type",
    "unknown_role",
    "empty_string",
    "too_long",
    "invalid_uuid",
    "invalid_ip",
    "time_too_late",
    "time_too_early",
    "event_id_conflict",
    "wrong_type",
    "not_processed",
]

DESCRIPTIONS: Final[dict[Reason, str]] = {
    "null_value": "the record has no value",
    "null_key": "the record has no key; the key is the workspace id",
    "too_large": "the value is larger than 1 MiB",
    "not_framed": "the value does not start with a zero byte and a 4-byte schema id",
    "unknown_schema": "no schema is known under the id in the frame",
    "not_avro": "the bytes are not a datum of the schema",
    "truncated": "the datum ends before its schema does",
    "trailing_bytes": "bytes follow after the end of the datum",
    "invalid_utf8": "a string is not valid UTF-8",
    "unknown_action": "the action is not in the catalogue",
    "missing_field": "a field that the action requires is absent",
    "extra_field": "a field is present that the action does not have",
    "wrong_entity_type": "the entity type is not the one of the action",
    "unknown_role": "the role is not on the action's scale",
    "empty_string": "a string that must say something is empty",
    "too_long": "a string is longer than its bound",
    "invalid_uuid": "the event id is not a UUID",
    "invalid_ip": "the address is neither IPv4 nor IPv6",
    "time_too_late": "the event lies too far in the future",
    "time_too_early": "the event lies before 2000-01-01",
    "event_id_conflict": "the event id is already in use by another payload",
    "wrong_type": "a value has another type than the schema says",
    "not_processed": "a step of the worker failed on the record; a defect of auditstream",
}

REASONS: Final[tuple[Reason, ...]] = get_args(Reason)
