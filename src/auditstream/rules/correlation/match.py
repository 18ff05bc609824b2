"""What an evaluation finds: a rule that fired, for which group, when, and on what evidence."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from auditstream.contract.alert import Evidence, alert_id
from auditstream.contract.template import Part, parse_template
from auditstream.rules.correlation.model import (
    Absence,
    CompoundRule,
    Correlation,
    EffectiveAccess,
    FirstSeen,
)
from auditstream.rules.correlation.parse import SENTENCE_NAMES
from auditstream.rules.correlation.timespan import format_timespan

UNKNOWN: Final = "unknown"


@dataclass(frozen=True)
class Match:
    """A rule over several events that fired for a group.

    `began` and `ended` bound the window of the first hit that the evaluation saw in the period of
    the alert. `first` is the first event of the window as a row of the table; `evidence` names the
    first 100 of its events, of which there are `events`. `count` is what the rule counted, at its
    highest. `late` tells that what made it fire came too late for the alert to be in time: it was
    marked late, or came after a newer event of the window had been stored.
    """

    rule: CompoundRule
    group: Mapping[str, str]
    began: datetime
    ended: datetime
    count: int
    first: Mapping[str, Any]
    evidence: tuple[Evidence, ...]
    events: int
    late: bool
    told: Mapping[str, str]

    @property
    def group_key(self) -> str:
        """The group as it stands in an alert."""
        return json.dumps(dict(self.group), separators=(",", ":"))

    @property
    def alert_id(self) -> str:
        """The id of the alert, whatever the batches in which its events arrived."""
        header = self.rule.header
        return alert_id(header.name, self.group_key, self.ended, header.window)

    @property
    def sentence(self) -> str:
        """The sentence of the rule, filled; control characters of names are still in it."""
        header = self.rule.header
        parts = parse_template(header.sentence, SENTENCE_NAMES)
        return "".join(_told(part, self._values()) for part in parts)

    def _values(self) -> dict[str, str]:
        event = self.first
        behalf = event.get("actor_on_behalf_of")
        shown = {
            "actor": _first_of(event, "actor_username", "actor_email", "actor_id") or "someone",
            "entity": _first_of(event, "entity_name", "entity_id"),
            "member": _first_of(event, "member_username", "member_email", "member_id"),
            "group": _first_of(event, "group_name", "group_id"),
            "role": _first_of(event, "role"),
            "previous_role": _first_of(event, "previous_role"),
            "workspace": _first_of(event, "workspace_username", "workspace_id"),
            "count": str(self.count),
            "timespan": format_timespan(_timespan(self.rule)) if _timespan(self.rule) else "",
        }
        if behalf:
            shown["actor"] += f" on behalf of {behalf}"
        return shown | dict(self.told)


def group_names(rule: CompoundRule) -> tuple[str, ...]:
    """Return the names of the values that make the group of a rule's alerts."""
    match rule:
        case FirstSeen():
            return (*rule.group_by, *rule.values)
        case EffectiveAccess(members=1):
            return ("workspace_id", "member_id", "entity_id", "role")
        case EffectiveAccess():
            return ("workspace_id", "group_id", "entity_id", "role")
        case _:
            return rule.group_by


def _timespan(rule: CompoundRule) -> timedelta:
    match rule:
        case Correlation() | Absence():
            return rule.timespan
        case FirstSeen():
            return rule.history
        case _:
            return timedelta()


def _first_of(event: Mapping[str, Any], *names: str) -> str:
    return next((str(event[name]) for name in names if event.get(name)), "")


def _told(part: Part, values: Mapping[str, str]) -> str:
    pieces = [piece if isinstance(piece, str) else values[piece.name] for piece in part.pieces]
    if part.optional:
        return "".join(pieces) if all(pieces) else ""
    return "".join(piece or UNKNOWN for piece in pieces)
