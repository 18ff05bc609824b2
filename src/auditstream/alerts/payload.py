"""An alert as JSON: what the ledger keeps, webhooks send and commands print."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from auditstream.contract.alert import Alert

_TIMES = ("occurred_at", "detected_at")


def alert_document(alert: Alert) -> dict[str, Any]:
    """Return the alert as plain JSON values: times as ISO 8601, the first event as an object."""
    record = alert.to_record()
    for name in _TIMES:
        record[name] = record[name].isoformat().replace("+00:00", "Z")
    if alert.first_event is not None:
        record["first_event"] = _object(alert.first_event)
    return record


def alert_to_json(alert: Alert) -> str:
    """Return the alert as JSON, from which `alert_from_json` makes it again."""
    record = alert.to_record()
    for name in _TIMES:
        record[name] = record[name].isoformat()
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"))


def alert_from_json(text: str) -> Alert:
    """Return the alert that `alert_to_json` was given."""
    record = json.loads(text)
    for name in _TIMES:
        record[name] = datetime.fromisoformat(record[name])
    return Alert.from_record(record)


def _object(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
