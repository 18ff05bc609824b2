"""Rules that others wrote compile on both engines and agree, or are refused for a good reason."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import polars as pl
import yaml

from auditstream.errors import RuleError
from auditstream.rules.load import parse_rule
from auditstream.rules.matcher import Matcher
from auditstream.rules.rule import Rule
from tests.rules import naive
from tests.rules.engines import History, Hits, stream_hits
from tests.rules.public import events_for, frame_of, public_rules

REASONS: dict[str, Callable[[str], bool]] = {
    "windash is left out": lambda text: "windash" in text,
    "is left out: events hold text": lambda text: "base64" in text or "wide" in text,
    "is not supported": lambda text: "|re" in text,
    "is not used by the condition": lambda _: True,
    "no values; known are": lambda text: "expand" in text,
}
"""Why a rule may be refused, and what it must hold then."""


@cache
def rules() -> tuple[dict[str, Rule], dict[str, str]]:
    """Return the rules that are read, and for the others why not."""
    read: dict[str, Rule] = {}
    refused: dict[str, str] = {}
    for name, document in public_rules().items():
        try:
            read[name] = parse_rule(yaml.safe_dump(document), name)
        except RuleError as error:
            refused[name] = error.message
    return read, refused


@cache
def events() -> tuple[pl.DataFrame, list[dict[str, Any]]]:
    """Return events made of the values of all rules, as a frame and one by one."""
    documents = public_rules().values()
    settings = [said for n, document in enumerate(documents) for said in events_for(document, n)]
    frame = frame_of(settings)
    return frame, naive.rows(frame)


@cache
def expected() -> Hits:
    """Return the hits that Sigma's words mean."""
    return [
        [n for n, row in enumerate(events()[1]) if naive.fires(documented(name), row)]
        for name in rules()[0]
    ]


def documented(name: str) -> dict[str, Any]:
    """Return the detection of a rule."""
    detection: dict[str, Any] = public_rules()[name]["detection"]
    return detection


def test_read_or_refused_for_a_reason(record_property: Callable[[str, object], None]) -> None:
    """Nearly all are read; a refusal names what in the rule it is about."""
    read, refused = rules()
    record_property("public rules read", len(read))
    record_property("public rules refused", len(refused))
    for name, reason in refused.items():
        text = yaml.safe_dump(public_rules()[name])
        assert any(words in reason and meant(text) for words, meant in REASONS.items()), (
            f"{name}: {reason}"
        )
    assert len(read) > 0.9 * len(public_rules())


def test_stream() -> None:
    """Polars finds what the naive engine finds; nearly every rule finds something."""
    frame, _ = events()
    assert disagreements(stream_hits([*rules()[0].values()], frame)) == []
    assert sum(map(bool, expected())) > 0.9 * len(expected())


def test_matcher() -> None:
    """All rules together find what each finds alone."""
    frame, _ = events()
    found = Matcher([*rules()[0].values()]).match(frame)
    hits = [found[number].tolist() if number in found else [] for number in range(len(expected()))]
    assert disagreements(hits) == []


def test_history(history: History) -> None:
    """ClickHouse finds what the naive engine finds."""
    frame, _ = events()
    assert disagreements(history.hits([*rules()[0].values()], frame)) == []


def disagreements(found: Hits) -> list[str]:
    """Return the rules whose hits are not those of the naive engine."""
    compared = zip(rules()[0], found, expected(), strict=True)
    return [name for name, hits, right in compared if hits != right]
