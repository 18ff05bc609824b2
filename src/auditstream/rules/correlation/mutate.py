"""Small changes of a rule over several events, each of which a test of the rule should notice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

from auditstream.rules.correlation.condition import check_bounds, check_term
from auditstream.rules.correlation.model import (
    Absence,
    Bound,
    CompoundRule,
    Correlation,
    EffectiveAccess,
    FirstSeen,
    Operator,
    Term,
)
from auditstream.rules.correlation.timespan import format_timespan

_LOOSER: Final[Mapping[Operator, tuple[Operator, ...]]] = {"eq": ("gte", "lte"), "neq": ("eq",)}
"""Other comparisons with the same number; gt 9 is gte 10, which is a step of the number."""

Change = tuple[str, CompoundRule]


def mutants(rule: CompoundRule) -> Iterator[Change]:
    """Yield changed rules with what was changed; no two of them mean the same for every count.

    Some may still mean the same as the rule: no events tell these from it.
    """
    match rule:
        case Correlation():
            yield from _correlation(rule)
        case FirstSeen():
            yield from _first_seen(rule)
        case Absence():
            yield from _absence(rule)
        case EffectiveAccess():
            yield from _access(rule)


def _correlation(rule: Correlation) -> Iterator[Change]:
    yield from _bounds(rule)
    if rule.term is not None:
        for change, term in _terms(rule.term):
            yield change, replace(rule, term=term)
    for told, length in _lengths(rule.timespan):
        yield f"timespan {told}", replace(rule, timespan=length)
    for name, rest in _without(rule.group_by):
        yield f"without {name} in group-by", replace(rule, group_by=rest)
    for name, rest in _without(rule.fields, least=1):
        yield f"without {name} in what is counted", replace(rule, fields=rest)
    if rule.kind == "value_count":
        yield "events in place of values", replace(rule, kind="event_count", fields=())
    if rule.kind == "temporal_ordered":
        bounds = (Bound("gte", len(rule.rules)),)
        yield "in any order", replace(rule, kind="temporal", bounds=bounds)
        yield "in the opposite order", replace(rule, rules=rule.rules[::-1])
    if rule.term is None:
        for name, rest in _without(rule.rules, least=1):
            yield f"without rule {name}", _of_rules(rule, rest)


def _bounds(rule: Correlation) -> Iterator[Change]:
    if rule.kind == "temporal_ordered":
        return
    most = len(rule.rules) if rule.kind == "temporal" else None
    seen = {_canonical(rule.bounds)}
    for place, bound in enumerate(rule.bounds):
        others = [Bound(bound.operator, bound.number + step) for step in (1, -1)]
        others += [Bound(other, bound.number) for other in _LOOSER.get(bound.operator, ())]
        for other in others:
            changed = (*rule.bounds[:place], other, *rule.bounds[place + 1 :])
            if _canonical(changed) not in seen and _is_condition(changed, most):
                seen.add(_canonical(changed))
                told = f"{other.operator} {other.number} in place of"
                yield f"{told} {bound.operator} {bound.number}", replace(rule, bounds=changed)


def _canonical(bounds: tuple[Bound, ...]) -> frozenset[Bound]:
    """Return bounds in the one form that all have which mean the same for whole numbers."""
    return frozenset(
        Bound("gte", bound.number + 1)
        if bound.operator == "gt"
        else Bound("lte", bound.number - 1)
        if bound.operator == "lt"
        else bound
        for bound in bounds
    )


def _is_condition(bounds: tuple[Bound, ...], most: int | None) -> bool:
    try:
        check_bounds(bounds, most)
    except ValueError:
        return False
    return True


def _terms(term: Term) -> Iterator[tuple[str, Term]]:
    for change, mutant in _changed_terms(term):
        try:
            check_term(mutant)
        except ValueError:
            continue
        if sorted(set(mutant.rules())) == sorted(set(term.rules())):
            yield change, mutant


def _changed_terms(term: Term) -> Iterator[tuple[str, Term]]:
    if term.operator == "rule":
        yield f"not {term.rule}", Term("not", terms=(term,))
        return
    if term.operator == "not":
        yield "without a not", term.terms[0]
    else:
        other: Term = replace(term, operator="or" if term.operator == "and" else "and")
        yield f"{other.operator} in place of {term.operator}", other
    for place, part in enumerate(term.terms):
        for change, mutant in _changed_terms(part):
            parts = (*term.terms[:place], mutant, *term.terms[place + 1 :])
            yield change, replace(term, terms=parts)


def _of_rules(rule: Correlation, rest: tuple[str, ...]) -> Correlation:
    """Return a correlation of fewer rules, which wants all of them where it wanted all."""
    if rule.kind not in {"temporal", "temporal_ordered"}:
        return replace(rule, rules=rest)
    if len(rest) == 1:
        return replace(rule, rules=rest, kind="event_count", bounds=(Bound("gte", 1),))
    bounds = tuple(Bound(bound.operator, min(bound.number, len(rest))) for bound in rule.bounds)
    return replace(rule, rules=rest, bounds=bounds)


def _first_seen(rule: FirstSeen) -> Iterator[Change]:
    for told, length in _lengths(rule.history):
        yield f"history {told}", replace(rule, history=length)
    for told, length in _lengths(rule.learning):
        yield f"learning {told}", replace(rule, learning=length)
    yield (
        f"new-groups: {str(not rule.new_groups).lower()}",
        replace(rule, new_groups=not rule.new_groups),
    )
    for name, rest in _without(rule.group_by):
        yield f"without {name} in group-by", replace(rule, group_by=rest)
    for name, rest in _without(rule.values, least=1):
        yield f"without {name} in values", replace(rule, values=rest)
    for name, rest in _without(rule.rules, least=1):
        yield f"without rule {name}", replace(rule, rules=rest)


def _absence(rule: Absence) -> Iterator[Change]:
    for told, length in _lengths(rule.timespan):
        yield f"timespan {told}", replace(rule, timespan=length)
    for name, rest in _without(rule.group_by):
        yield f"without {name} in group-by", replace(rule, group_by=rest)
    for name, rest in _without(rule.after, least=1):
        yield f"without {name} in after", replace(rule, after=rest)
    for name, rest in _without(rule.expected, least=1):
        yield f"without {name} in expected", replace(rule, expected=rest)
    if set(rule.after) != set(rule.expected):
        yield "the other way round", replace(rule, after=rule.expected, expected=rule.after)


def _access(rule: EffectiveAccess) -> Iterator[Change]:
    if rule.members > 1:
        for members in (rule.members + 1, rule.members - 1):
            yield f"members: {members}", replace(rule, members=members)
    else:
        for through in ("group", "direct", "any"):
            if through != rule.through:
                yield f"through: {through}", replace(rule, through=through)
    if rule.min_rank > 1:
        yield f"a role below {rule.role}", replace(rule, min_rank=rule.min_rank - 1)
    yield f"a role above {rule.role}", replace(rule, min_rank=rule.min_rank + 1)
    for name, rest in _without(rule.entity_types, least=1):
        yield f"without {name} in entity-type", replace(rule, entity_types=rest)
    for name, rest in _without(rule.rules, least=1):
        yield f"without rule {name}", replace(rule, rules=rest)


def _lengths(length: timedelta) -> Iterator[tuple[str, timedelta]]:
    for other in (length / 2, length * 2):
        yield f"{format_timespan(other)} in place of {format_timespan(length)}", other


def _without(names: tuple[str, ...], least: int = 0) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each name with the rest, of which there are at least so many."""
    if len(names) > least:
        for place, name in enumerate(names):
            yield name, (*names[:place], *names[place + 1 :])
