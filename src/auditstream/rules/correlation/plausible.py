"""Leave out early what cannot match: most appends bring no group near to its condition.

Windows cost ClickHouse more to plan than to read. One flat query tells first which groups have
enough events close to each other, whatever their order: only these are looked at by windows. It
never leaves out a match of a growing rule.
"""
# ruff: noqa: S608 - names are those of columns, values are literals

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from auditstream.rules.correlation.link import Linked
from auditstream.rules.correlation.model import CompoundRule, Correlation, EffectiveAccess
from auditstream.rules.correlation.occurrences import one_of, scan, sources, together
from auditstream.rules.correlation.scope import Scope, length
from auditstream.rules.correlation.search import Ask, Question
from auditstream.store.sql import literal


def plausible(
    linked: Linked, predicates: Mapping[str, str], ask: Ask, questions: Sequence[Question]
) -> list[Question]:
    """Return the questions that may have matches, with the groups that may.

    Asks once, or not at all when none of the rules can be judged so. All rules must be growing.
    """
    probes = {
        question.rule.header.name: list(_probes(linked, predicates, question.rule, question.scope))
        for question in questions
    }
    wanted = together([probe for some in probes.values() for probe in some])
    found: dict[str, set[tuple[str, ...]]] = {}
    if wanted:
        for name, values in ask(wanted).rows():
            found.setdefault(name, set()).add(tuple(values))
    left = []
    for question in questions:
        name = question.rule.header.name
        if not probes[name]:
            left.append(question)
        elif name in found:
            if isinstance(question.rule, EffectiveAccess):
                homes = tuple(sorted(values[0] for values in found[name]))
                scope = replace(question.scope, workspaces=homes, homes=homes)
                left.append(replace(question, scope=scope))
                continue
            groups = question.scope.groups
            if _has_own_groups(linked, question.rule):
                groups = tuple(sorted(found[name]))
            left.append(replace(question, scope=replace(question.scope, groups=groups)))
    return left


def _has_own_groups(linked: Linked, rule: CompoundRule) -> bool:
    """Return whether what is found for a rule are its groups, not those of one it refers to."""
    return isinstance(rule, Correlation) and bool(rule.group_by) and not linked.chained(rule)


def _probes(
    linked: Linked, predicates: Mapping[str, str], rule: CompoundRule, scope: Scope
) -> Iterator[str]:
    """Yield queries of which one finds a group if the rule has a match; none if not known."""
    if isinstance(rule, EffectiveAccess) and rule.through == "group" and scope.touched is not None:
        probe = _holds_role if rule.members == 1 else _ever_large
        yield probe(rule, scope, scope.touched)
    if not isinstance(rule, Correlation) or rule.term is not None:
        return
    inner = [other for name in rule.rules if (other := linked.correlation(name))]
    if not inner:
        yield _probe(predicates, rule, rule.header.name, scope)
        return
    needs_all = rule.kind in {"temporal", "temporal_ordered"} and rule.least == len(rule.rules)
    if not needs_all and len(inner) < len(rule.rules):
        return
    # Where all are needed, the first one tells enough.
    for other in inner[:1] if needs_all else inner:
        if other.term is not None or linked.chained(other):
            return
    for other in inner[:1] if needs_all else inner:
        yield _probe(predicates, other, rule.header.name, replace(scope, groups=None))


def _probe(predicates: Mapping[str, str], rule: Correlation, name: str, scope: Scope) -> str:
    """Return the query for the groups that have enough events in a stretch of two timespans.

    Time is cut into pieces of one timespan; a window lies within two that are neighbours.
    """
    rows = together([scan(source, scope) for source in sources(rule, predicates)])
    counts = {"event_count": "count()", "value_count": "uniqExact(v)"}
    piece = f"intDiv(t, {length(rule.timespan)})"
    return (
        f"SELECT DISTINCT {literal(name)} AS rule, g AS group_values "
        f"FROM (SELECT g, v, mask, arrayJoin([{piece}, {piece} + 1]) AS piece FROM ({rows})) "
        f"GROUP BY g, piece HAVING {counts.get(rule.kind, 'bitCount(groupBitOr(mask))')} "
        f">= {rule.least}"
    )


def _holds_role(rule: EffectiveAccess, scope: Scope, touched: Mapping[str, int]) -> str:
    """Return the query for the workspaces in which a group held the role when it was touched.

    That is, had been given it before, or is told later to have had it.
    """
    newest = f"transform(e.group_id, {_array(touched)}, {list(touched.values())}, 0)"
    given = f"e.role_rank >= {rule.min_rank} AND toUnixTimestamp64Micro(e.occurred_at) <= {newest}"
    where = [
        one_of("e.group_id", tuple(touched)),
        one_of("e.entity_type", rule.entity_types),
        f"(ifNull({given}, false) OR ifNull(e.previous_role_rank >= {rule.min_rank}, false))",
    ]
    if scope.workspaces is not None:
        where.append(one_of("e.workspace_id", scope.workspaces))
    return (
        f"SELECT {literal(rule.header.name)} AS rule, [toString(e.workspace_id)] AS group_values "
        f"FROM {scope.database}.events AS e WHERE {' AND '.join(where)} GROUP BY group_values"
    )


def _ever_large(rule: EffectiveAccess, scope: Scope, touched: Mapping[str, int]) -> str:
    """Return the query for the workspaces in which so many ever joined a group that was touched."""
    where = [one_of("e.entity_id", tuple(touched)), "e.entity_type = 'workspace_group'"]
    if scope.workspaces is not None:
        where.append(one_of("e.workspace_id", scope.workspaces))
    return (
        f"SELECT DISTINCT {literal(rule.header.name)} AS rule, "
        f"[toString(e.workspace_id)] AS group_values FROM {scope.database}.events AS e "
        f"WHERE {' AND '.join(where)} "
        f"GROUP BY e.workspace_id, e.entity_id HAVING uniqExact(e.member_id) >= {rule.members}"
    )


def _array(values: Iterable[str]) -> str:
    return f"[{', '.join(map(literal, values))}]"
