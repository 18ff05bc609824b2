"""Documents of rules over several events: what is read, and the line of what is wrong."""

from __future__ import annotations

from datetime import timedelta

import pytest

from auditstream.errors import RuleError
from auditstream.rules.correlation.model import (
    Absence,
    Bound,
    Correlation,
    EffectiveAccess,
    FirstSeen,
    Term,
)
from auditstream.rules.correlation.parse import is_compound
from tests.rules.correlation.documents import parse

MANY = """\
title: Many denied
id: 0e95725d-7320-415d-80f7-004da920fc11
name: many_denied
level: high
correlation:
    type: event_count
    rules:
        - denied
    group-by:
        - workspace_id
        - actor_id
    timespan: 1h
    condition:
        gt: 9
        lte: 200
auditstream:
    sentence: "{actor} was denied {count} times within {timespan}"
    window: 2h
"""


def test_a_correlation() -> None:
    """Everything of the document is in the rule."""
    rule = parse(MANY)
    assert isinstance(rule, Correlation)
    assert (rule.kind, rule.rules, rule.group_by) == (
        "event_count",
        ("denied",),
        ("workspace_id", "actor_id"),
    )
    assert rule.timespan == timedelta(hours=1)
    assert rule.bounds == (Bound("gt", 9), Bound("lte", 200))
    assert (rule.header.name, rule.header.level) == ("many_denied", "high")
    assert rule.header.window == timedelta(hours=2)
    assert not rule.growing
    assert not rule.generate


def test_the_hash_changes_with_the_content() -> None:
    """Two readings give one hash, another timespan another."""
    assert parse(MANY).header.content_hash == parse(MANY).header.content_hash
    other = parse(MANY.replace("timespan: 1h", "timespan: 2h"))
    assert other.header.content_hash != parse(MANY).header.content_hash


def test_plain_sigma_needs_nothing_of_ours() -> None:
    """A rule without our section has its title for a sentence and an hour for a period."""
    text = MANY[: MANY.index("auditstream:")].replace("name: many_denied\n", "")
    rule = parse(text.replace("Many denied", "Many {denied}"))
    assert rule.header.name == "many_denied"
    assert rule.header.sentence == "Many (denied)"
    assert rule.header.window == timedelta(hours=1)


@pytest.mark.parametrize(
    ("timespan", "seconds"),
    [("10s", 10), ("5m", 300), ("2h", 7_200), ("3d", 259_200), ("1w", 604_800), ("1M", 2_629_746)],
)
def test_timespans(timespan: str, seconds: int) -> None:
    """Sigma's units; a small m is a minute, a large one a month."""
    rule = parse(MANY.replace("timespan: 1h", f"timespan: {timespan}"))
    assert isinstance(rule, Correlation)
    assert rule.timespan == timedelta(seconds=seconds)


def temporal(condition: str, kind: str = "temporal") -> str:
    """Return a document of a temporal correlation of two rules."""
    return f"""\
title: t
name: t
correlation:
    type: {kind}
    rules: [one, two]
    timespan: 5m
    condition: {condition}
"""


def test_conditions_over_rules() -> None:
    """An expression is a tree; one that wants all rules is the plain correlation."""
    rule = parse(temporal("one AND NOT two"))
    assert isinstance(rule, Correlation)
    negated = Term("not", terms=(Term("rule", "two"),))
    assert rule.term == Term("and", terms=(Term("rule", "one"), negated))
    assert not rule.growing
    both = parse(temporal("two and one", "temporal_ordered"))
    assert isinstance(both, Correlation)
    assert both.term is None
    assert both.bounds == (Bound("gte", 2),)
    either = parse(temporal("one or not (one or two)"))
    assert isinstance(either, Correlation)
    assert either.term is not None


def extension(text: str) -> str:
    """Return a document with one of our extensions."""
    return f"title: t\nname: t\nauditstream:\n  {text}\n"


def test_extensions() -> None:
    """Each has its defaults."""
    new = parse(extension("first_seen: {rules: one, values: [country], group-by: [actor_id]}"))
    assert isinstance(new, FirstSeen)
    assert (new.history, new.learning, new.new_groups) == (
        timedelta(days=30),
        timedelta(days=30),
        False,
    )
    assert new.header.window == timedelta(days=30)
    gone = parse(extension("absence: {after: [one], expected: [two], timespan: 1h}"))
    assert isinstance(gone, Absence)
    silent = parse(extension("silence: {group-by: source_service, timespan: 1h}"))
    assert isinstance(silent, Absence)
    assert (silent.after, silent.expected) == ((), ())
    access = parse(
        extension(
            "effective_access: {rules: [one], entity-type: workspace_connection, role: manage}"
        )
    )
    assert isinstance(access, EffectiveAccess)
    assert (access.min_rank, access.through) == (3, "any")


def test_what_is_a_rule_over_several_events() -> None:
    """Correlations and extensions are; a rule over one event with alert settings is not."""
    assert is_compound({"correlation": {}})
    assert is_compound({"auditstream": {"silence": {}}})
    assert not is_compound({"detection": {}, "auditstream": {"window": "1h"}})
    assert not is_compound(["correlation"])


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("timespan: 1h", "timespan: 1h30m", 12, "is no timespan"),
        ("timespan: 1h", "timespan: 0m", 12, "is no timespan"),
        ("timespan: 1h", "timespan: 500d", 12, "longer than 400d"),
        ("timespan: 1h", "timespan: 60", 12, "is no timespan"),
        ("    timespan: 1h\n", "", 5, "correlation.timespan: Field required"),
        ("event_count", "value_sum", 6, "needs numbers, events have none"),
        ("event_count", "event_sum", 6, "correlation.type"),
        ("event_count", "value_count", 13, "value_count needs a field"),
        ("lte: 200", "field: action", 13, "event_count counts no field"),
        ("        - actor_id", "        - actor", 11, "actor is no field of an event"),
        ("        - actor_id", "        - metadata.", 11, "metadata. is no field of an event"),
        ("        - actor_id", "        - workspace_id", 9, "workspace_id stands here twice"),
        ("gt: 9", "gt: 200", 13, "never holds"),
        ("gt: 9", "lt: 1", 13, "never holds"),
        ("gt: 9\n        lte: 200", "gte: 1", 13, "always holds"),
        ("gt: 9\n        lte: 200", "neq: 0", 13, "always holds"),
        ("gt: 9", "gt: many", 14, "correlation.condition"),
        ("gt: 9", "above: 9", 14, "correlation.condition"),
        ("condition:\n        gt: 9\n        lte: 200", "condition: denied", 13, "a comparison"),
        ("group-by:", "groupby:", 9, "Extra inputs are not permitted"),
        ("{count}", "{number}", 17, "{number} is not one of"),
        ("window: 2h", "window: 2", 18, "is no timespan"),
        ("window: 2h", "silence: {timespan: 1h}", 1, "one of correlation, first_seen"),
        ("level: high", "level: severe", 4, "level"),
    ],
)
def test_what_is_wrong(old: str, new: str, line: int, message: str) -> None:
    """The error names file and line."""
    assert old in MANY
    with pytest.raises(RuleError) as error:
        parse(MANY.replace(old, new, 1))
    assert str(error.value).startswith(f"rules/some.yml:{line}: "), error.value
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (temporal("one and three"), 7, "three is not in both"),
        (temporal("one"), 7, "two is not in both"),
        (temporal("one and not one and two"), 7, "never holds"),
        (temporal("one or two"), 7, "always holds"),
        (temporal("one and ("), 7, "is no condition over rules"),
        (temporal("one or two and one", "temporal_ordered"), 7, "only if it wants all"),
        (temporal("{gte: 3}"), 7, "never holds"),
        (temporal("{gte: 1}"), 7, "always holds"),
        (temporal("{gte: 1, lte: 1}", "temporal_ordered"), 7, "an order needs all"),
        (temporal("one and two").replace("[one, two]", "[one]"), 7, "two is not in both"),
        (temporal("{gte: 2}").replace("[one, two]", "[one]"), 5, "needs two rules"),
        (temporal("{gte: 2}").replace("[one, two]", "[a, b, c, d, e, f, g]"), 5, "6 rules at most"),
        (extension("first_seen: {rules: one, values: [colour]}"), 4, "colour is no field"),
        (
            extension("first_seen: {rules: one, values: [role], group-by: [role]}"),
            4,
            "role is what the events are grouped by",
        ),
        (extension("first_seen: {rules: one}"), 4, "values: Field required"),
        (extension("absence: {after: one, expected: two}"), 4, "timespan: Field required"),
        (
            extension("effective_access: {rules: one, entity-type: thing, role: manage}"),
            4,
            "thing is no type of entity",
        ),
        (
            extension("effective_access: {rules: one, entity-type: workspace_group, role: manage}"),
            4,
            "manage is no role",
        ),
        (
            extension(
                "effective_access: {rules: one, entity-type: workspace_connection, role: manage, "
                "members: 5}"
            ),
            4,
            "members are those of a group",
        ),
        ('title: "?"\nauditstream: {silence: {timespan: 1h}}\n', 1, "a name is wanted"),
        ("- a list\n", 1, "valid dictionary"),
    ],
)
def test_what_is_wrong_elsewhere(text: str, line: int, message: str) -> None:
    """The error names file and line, for conditions over rules and extensions as well."""
    with pytest.raises(RuleError) as error:
        parse(text)
    assert str(error.value).startswith(f"rules/some.yml:{line}: "), error.value
    assert message in str(error.value)
