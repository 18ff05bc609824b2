"""References between rules: names, ids, chains, and what is wrong with them."""

from __future__ import annotations

from typing import Any

import pytest

from auditstream.rules.correlation.link import link
from auditstream.rules.correlation.model import CompoundRule, Correlation
from tests.rules.correlation.documents import correlation, extension, parse

ID = "5638f7c0-ac70-491d-8465-2a65075e0d86"
NAMES = {"one": "one", "two": "two", ID: "one"}


def count(name: str, *rules: str, **more: Any) -> CompoundRule:
    """Return a correlation that counts events of rules."""
    section: dict[str, Any] = {
        "type": "event_count",
        "timespan": "1m",
        "condition": {"gte": 2},
        **more,
    }
    return correlation(name, rules=list(rules), **section)


def test_ids_become_names() -> None:
    """A reference by id is the same as one by name, in aliases as well."""
    aliases = {"who": {ID: "actor_id", "two": "member_id"}}
    linked = link([count("many", ID, "two", group_by=["who"], aliases=aliases)], NAMES)
    rule = linked.rules["many"]
    assert isinstance(rule, Correlation)
    assert rule.rules == ("one", "two")
    assert rule.column("who", "one") == "actor_id"
    assert rule.column("workspace_id", "one") == "workspace_id"


def test_chains() -> None:
    """Leaves and growth are those of the whole chain; a rule comes after those it rests on."""
    outer = count("outer", "inner", "two")
    inner = count("inner", "one", condition={"gte": 2, "lt": 5}, generate=True)
    linked = link([outer, inner], NAMES)
    assert list(linked.rules) == ["inner", "outer"]
    assert linked.leaves(outer) == {"one", "two"}
    assert isinstance(outer, Correlation)
    assert outer.growing
    assert not linked.growing(outer)
    assert linked.muted() == {"inner", "two"}


def test_one_wrong_rule_does_not_stop_the_others() -> None:
    """What is wrong is told, with what rests on it; the rest is linked."""
    rules = [count("good", "one"), count("bad", "three"), count("worse", "bad")]
    linked = link(rules, NAMES)
    assert list(linked.rules) == ["good"]
    assert [str(problem) for problem in linked.problems] == [
        "rules/some.yml:1: there is no rule three",
        "rules/some.yml:1: bad is wrong: rules/some.yml:1: there is no rule three",
    ]


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ([count("a", "b"), count("b", "c"), count("c", "a")], "refers to itself: a > b > c > a"),
        ([count("a", "a")], "refers to itself: a > a"),
        ([count("a", "one", ID)], "one stands here twice, by name and by id"),
        ([count("one", "two")], "one has the same name or id"),
        ([count("a", "one"), count("a", "two")], "a has the same name or id"),
        (
            [count("a", "one", "two", group_by=["who"], aliases={"who": {"one": "actor_id"}})],
            "alias who has no field for two",
        ),
        (
            [count("a", "one", group_by=["w"], aliases={"w": {"one": "role", "two": "role"}})],
            "two is not among the rules",
        ),
        (
            [count("a", "one"), extension("b", "first_seen", rules=["a"], values=["role"])],
            "a is not a rule over one event",
        ),
        (
            [extension("a", "silence", timespan="1h"), count("b", "a")],
            "a is not a rule over one event",
        ),
    ],
)
def test_wrong_references(rules: list[CompoundRule], message: str) -> None:
    """Each is told, and none of the rules it concerns is linked."""
    linked = link(rules, NAMES)
    assert any(message in str(problem) for problem in linked.problems), linked.problems


def test_the_line_of_a_reference() -> None:
    """An unknown rule is found by its line."""
    text = "title: t\nname: t\ncorrelation:\n  type: temporal\n  rules:\n    - one\n    - three\n"
    linked = link([parse(text + "  timespan: 1m\n")], NAMES)
    assert str(linked.problems[0]) == "rules/some.yml:7: there is no rule three"
