"""What rules over several events mean, said naively: every window is looked at by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from auditstream.rules.correlation.condition import COMPARE, meets
from auditstream.rules.correlation.link import Linked
from auditstream.rules.correlation.model import Absence, CompoundRule, Correlation, FirstSeen
from auditstream.rules.correlation.scope import length, microseconds

Event = Mapping[str, Any]
Predicates = Mapping[str, Callable[[Event], bool]]
Found = tuple[tuple[str, ...], int, int, int, int, int]
"""Group, period, begin and end of the window of the first hit, highest count, number of hits."""


@dataclass(frozen=True)
class Occurrence:
    """An event as a rule looks at it; `token` is what it is counted as."""

    group: tuple[str, ...]
    values: tuple[str, ...]
    at: int
    order: tuple[Any, ...]
    event: Event
    rules: frozenset[str]
    token: Any


@dataclass(frozen=True)
class Hit:
    """An occurrence at which a rule fires."""

    group: tuple[str, ...]
    began: int
    ended: int
    count: int
    occurrence: Occurrence


class Interpreter:
    """Interprets linked rules over a list of events."""

    def __init__(self, linked: Linked, predicates: Predicates, events: Sequence[Event]) -> None:
        self._linked = linked
        self._predicates = predicates
        self._events = events

    def found(self, rule: CompoundRule, since: int, until: int) -> list[Found]:
        """Return what the compiled query of a rule should."""
        window = length(rule.header.window)
        alerts: dict[tuple[tuple[str, ...], int], list[Hit]] = {}
        for hit in self.hits(rule):
            if since <= hit.ended <= until:
                period = hit.ended // window if window else 0
                alerts.setdefault((hit.group, period), []).append(hit)
        found = []
        for (group, period), hits in alerts.items():
            first = min(hits, key=lambda hit: (hit.ended, hit.began))
            highest = max(hit.count for hit in hits)
            found.append((group, period, first.began, first.ended, highest, len(hits)))
        return sorted(found)

    def hits(self, rule: CompoundRule) -> Iterator[Hit]:
        """Yield every hit of a rule."""
        match rule:
            case Correlation():
                yield from self._correlation(rule)
            case FirstSeen():
                yield from self._first_seen(rule)
            case Absence():
                yield from self._absence(rule)

    def _correlation(self, rule: Correlation) -> Iterator[Hit]:
        occurrences = self._occurrences(rule)
        span = length(rule.timespan)
        for one in occurrences:
            window = [
                other
                for other in occurrences
                if other.group == one.group and one.at - span <= other.at <= one.at
            ]
            began, count = one.at - span, 0
            if rule.kind == "temporal_ordered":
                starts = list(_sequences(rule.rules, window, one))
                if not starts:
                    continue
                began, count = max(starts), len(rule.rules)
            elif rule.term is not None:
                present = {name for other in window for name in other.rules}
                if not meets(rule.term, present):
                    continue
                count = len(present)
            else:
                count = _count(rule, window)
                if not all(COMPARE[b.operator](count, b.number) for b in rule.bounds):
                    continue
            yield Hit(one.group, began, one.at, count, one)

    def _occurrences(self, rule: Correlation) -> list[Occurrence]:
        found: dict[Any, Occurrence] = {}
        alerts = rule.kind == "event_count" and any(map(self._linked.correlation, rule.rules))
        for number, (name, event, order, token) in enumerate(self._referred(rule)):
            group = _texts(event, [rule.column(field, name) for field in rule.group_by])
            values = _texts(event, [rule.column(field, name) for field in rule.fields])
            if "" in group or "" in values:
                continue
            one = Occurrence(group, values, order[0], order, event, frozenset({name}), token)
            # An event is there once however many of the rules it meets.
            key: Any = number if alerts else (group, values, order)
            if alerts and isinstance(token, str):
                key = (group, token)
            if key in found:
                one = Occurrence(
                    group, values, order[0], order, event, found[key].rules | {name}, token
                )
            found[key] = one
        return list(found.values())

    def _referred(self, rule: Correlation) -> Iterator[tuple[str, Event, tuple[Any, ...], Any]]:
        for name in rule.rules:
            inner = self._linked.correlation(name)
            if inner is None:
                for event in self._met(name):
                    yield name, event, _order(event), event["event_id"]
            else:
                window = length(inner.header.window)
                for hit in self._correlation(inner):
                    period = hit.ended // window if window else 0
                    one = hit.occurrence
                    yield name, one.event, one.order, (name, hit.group, period)

    def _met(self, *names: str) -> list[Event]:
        return [e for e in self._events if any(self._predicates[name](e) for name in names)]

    def _first_seen(self, rule: FirstSeen) -> Iterator[Hit]:
        span = length(rule.history)
        events = sorted(self._met(*rule.rules), key=_order)
        for place, event in enumerate(events):
            group, values = _texts(event, rule.group_by), _texts(event, rule.values)
            at = _order(event)[0]
            before = [
                earlier
                for earlier in events[:place]
                if _order(earlier)[0] >= at - span
                and _texts(earlier, rule.group_by) == group
                and "" not in _texts(earlier, rule.values)
            ]
            oldest = min(
                _order(other)[0]
                for other in self._events
                if other["workspace_id"] == event["workspace_id"]
            )
            if (
                "" not in group + values
                and all(_texts(earlier, rule.values) != values for earlier in before)
                and (before or rule.new_groups)
                and oldest <= at - length(rule.learning)
            ):
                one = Occurrence(group, values, at, _order(event), event, frozenset(), None)
                yield Hit(group + values, at, at, 1, one)

    def _absence(self, rule: Absence) -> Iterator[Hit]:
        span = length(rule.timespan)

        def grouped(names: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Event]]:
            for name in names or ("",):
                for event in self._met(name) if name else self._events:
                    group = _texts(event, [rule.column(field, name) for field in rule.group_by])
                    if "" not in group:
                        yield group, event

        expected = list(grouped(rule.expected))
        for group, event in {(g, e["event_id"]): (g, e) for g, e in grouped(rule.after)}.values():
            order = _order(event)
            if not any(
                order < _order(other) and _order(other)[0] <= order[0] + span
                for of, other in expected
                if of == group
            ):
                one = Occurrence(group, (), order[0], order, event, frozenset(), None)
                yield Hit(group, order[0], order[0] + span, 1, one)


def _count(rule: Correlation, window: Sequence[Occurrence]) -> int:
    if rule.kind == "event_count":
        return len({one.token for one in window})
    if rule.kind == "value_count":
        return len({one.values for one in window})
    return _own_events(rule.rules, window)


def _own_events(rules: Sequence[str], window: Sequence[Occurrence]) -> int:
    """Return how many rules can have an event each, no two of them the same one."""
    if not rules:
        return 0
    without = _own_events(rules[1:], window)
    return max(
        [without]
        + [
            1 + _own_events(rules[1:], [other for other in window if other is not one])
            for one in window
            if rules[0] in one.rules
        ]
    )


def _sequences(
    rules: Sequence[str], window: Sequence[Occurrence], last: Occurrence
) -> Iterator[int]:
    """Yield the beginnings of all sequences of events of the rules that end at the last one."""
    earlier = sorted((one for one in window if one.order < last.order), key=lambda one: one.order)
    for chosen in combinations(earlier, len(rules) - 1):
        sequence = (*chosen, last)
        if all(name in one.rules for name, one in zip(rules, sequence, strict=True)):
            yield sequence[0].at


def _texts(event: Event, fields: Sequence[str]) -> tuple[str, ...]:
    return tuple(str(_value(event, field) or "") for field in fields)


def _value(event: Event, field: str) -> Any:
    if not field.startswith("metadata."):
        return event[field]
    key = field.removeprefix("metadata.")
    return next((pair["value"] for pair in event["metadata"] if pair["key"] == key), None)


def _order(event: Event) -> tuple[Any, ...]:
    place = event["stream"], event["kafka_partition"], event["kafka_offset"]
    return (microseconds(event["occurred_at"]), *place)
