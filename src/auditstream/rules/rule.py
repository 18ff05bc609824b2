"""A detection rule as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, TypeAlias

from auditstream.contract.catalogue import Severity

Operator: TypeAlias = Literal["is", "gt", "gte", "lt", "lte"]
Value: TypeAlias = str | int | float | None


@dataclass(frozen=True, slots=True)
class Condition:
    """One field and what it is compared with; `is` means one of the values, None is absence."""

    field: str
    operator: Operator
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: it fires for an event that meets all of `selection`, but not all of `exclusion`.

    `name` identifies it in alerts, `sigma_id` elsewhere. Hits that agree in the fields `group_by`
    within one `window`, counted over `occurred_at`, are one alert; a window of zero has no end.
    `sentence` is a template with the catalogue's placeholders. `content_hash` changes with the
    rule's content.
    """

    name: str
    sigma_id: str
    title: str
    status: str
    description: str
    level: Severity
    selection: tuple[Condition, ...]
    exclusion: tuple[Condition, ...]
    group_by: tuple[str, ...]
    window: timedelta
    sentence: str
    reason: str
    runbook: str | None
    false_positives: tuple[str, ...]
    content_hash: str
    origin: str
