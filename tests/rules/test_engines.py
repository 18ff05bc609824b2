"""One rule, two engines, and a third that is naive: the same hits."""

from __future__ import annotations

from functools import cache
from typing import Any

import polars as pl
import pytest
import yaml

from auditstream.errors import RuleError
from auditstream.rules.load import parse_rule
from auditstream.rules.matcher import Matcher
from auditstream.rules.rule import Rule
from tests.rules import naive
from tests.rules.engines import History, Hits, stream_hits
from tests.rules.strategies import detections, draw_many, event_values, events_of, texts_of_events

EVENTS = 120
RULES = 400


REFUSALS = ("can never match", "always matches", "with itself", "the keyword is empty")


def rule_of(detection: dict[str, Any]) -> Rule | str:
    """Return the rule of a detection, or why it is refused."""
    document = {
        "title": "Generated",
        "logsource": {"product": "analyst_studio", "service": "audit"},
        "detection": detection,
    }
    try:
        return parse_rule(yaml.safe_dump(document), "generated.yml")
    except RuleError as error:
        if not any(words in error.message for words in REFUSALS):
            raise
        return error.message


@cache
def cases() -> tuple[list[tuple[dict[str, Any], Rule]], pl.DataFrame, Hits]:
    """Return rules with their detections, events, and the hits that Sigma's words mean."""
    drawn = draw_many(detections(), RULES)
    read = [(detection, rule_of(detection)) for detection in drawn]
    events = events_of(draw_many(event_values, EVENTS))
    rows = naive.rows(events)
    for detection, refusal in read:
        if isinstance(refusal, str) and refusal.startswith("the rule can never match"):
            assert not any(naive.fires(detection, row) for row in rows), f"{refusal}: {detection}"
    pairs = [(detection, rule) for detection, rule in read if isinstance(rule, Rule)]
    hits = [
        [number for number, row in enumerate(rows) if naive.fires(detection, row)]
        for detection, _ in pairs
    ]
    return pairs, events, hits


def test_stream() -> None:
    """Polars finds what the naive engine finds, and many rules find something, but not all.

    How many varies a little with the constants that Hypothesis sees in the modules loaded.
    """
    pairs, events, expected = cases()
    found = stream_hits([rule for _, rule in pairs], events)
    agree(found)
    assert len(pairs) > RULES / 2
    assert sum(0 < len(hits) < events.height for hits in expected) > len(pairs) / 3


def test_matcher() -> None:
    """All rules together find what each finds alone, whatever was seen before."""
    pairs, events, _ = cases()
    matcher = Matcher([rule for _, rule in pairs])
    for batch in (events.head(7), events, events.head(0), events):
        found = matcher.match(batch)
        assert set(found) <= set(range(len(pairs)))
    agree([found[number].tolist() if number in found else [] for number in range(len(pairs))])


def test_actions_are_all_that_can_fire() -> None:
    """A rule fires for no action but those it names as possible."""
    pairs, events, expected = cases()
    actions = events["action"]
    for (_, rule), hits in zip(pairs, expected, strict=True):
        assert {actions[hit] for hit in hits} <= rule.actions


def test_history(history: History) -> None:
    """ClickHouse finds what the naive engine finds."""
    pairs, events, _ = cases()
    agree(history.hits([rule for _, rule in pairs], events))


def agree(found: Hits) -> None:
    """Fail with the rule and the event that are simplest to look at."""
    pairs, events, expected = cases()
    wrong = [
        (len(str(detection)), detection, rule.tree, min({*hits} ^ {*right}), hits)
        for (detection, rule), hits, right in zip(pairs, found, expected, strict=True)
        if hits != right
    ]
    for _, detection, tree, number, hits in sorted(wrong, key=lambda item: item[0])[:1]:
        event = events.select(*texts_of_events).row(number, named=True)
        fires = f"{tree} fires: {number in hits}"
        pytest.fail(f"{len(wrong)} rules, first {detection}\n{fires}\n{event}")
