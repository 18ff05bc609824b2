"""Regular expressions in the form that means the same in every engine."""

from __future__ import annotations

import pytest

from auditstream.rules.meets import passes
from auditstream.rules.regex import RegexError, canonical_regex
from auditstream.rules.tree import Matches


@pytest.mark.parametrize(
    ("text", "flags", "canonical"),
    [
        ("a.b", "", r"a[^\n]b"),
        ("a.b", "s", "a(?s:.)b"),
        ("^a$", "", r"\Aa\z"),
        ("^a$", "m", "(?m:^)a(?m:$)"),
        ("a", "i", "[A-Aa-a]"),
        ("k", "i", "[K-Kk-k\u212a-\u212a]"),
        (r"\d+", "", "[0-9]+"),
        ("a+?", "", "a+"),
        ("(?P<name>a)(b)", "", "(?:a)(?:b)"),
        ("(?i)a(?-i:b)", "", "[A-Aa-a](?:b)"),
        ("a{", "", r"a\{"),
        (r"\\", "", r"\x5c"),
    ],
)
def test_canonical(text: str, flags: str, canonical: str) -> None:
    """Nothing is left for an engine to decide."""
    assert canonical_regex(text, flags).pattern == canonical


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("(?=a)", "(?= is not supported"),
        ("(?<!a)b", "not supported"),
        (r"(a)\1", "not supported"),
        ("(?>a)", "not supported"),
        ("a++", "possessive"),
        ("a**", "cannot be repeated"),
        ("*a", "nothing to repeat"),
        ("^*", "nothing to repeat"),
        (r"\B", "not supported"),
        (r"\p{L}", "not supported"),
        ("[[:alpha:]]", "escaped"),
        ("[a&&b]", "escaped"),
        ("[z-a]", "backwards"),
        ("[a", "not finished"),
        ("(a", "not closed"),
        ("a)", "parenthesis"),
        ("a{2,1}", "wrong order"),
        ("a{,2}", "lower bound"),
        ("a{1001}", "more than 1000"),
        ("(?:a{100}){100}", "more than 1000"),
        ("(?x) a", "(?x is not supported"),
        (r"\ud800", "no character"),
        ("a\\", "not finished"),
        ("(" * 200 + ")" * 200, "too deep"),
    ],
)
def test_refused(text: str, words: str) -> None:
    """What an engine cannot do, or does in its own way, is refused with words."""
    with pytest.raises(RegexError) as caught:
        canonical_regex(text)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "flags", "literals"),
    [
        ("^prod-[0-9]+-payroll$", "", ("-payroll",)),
        ("Ab+c", "", ("ab",)),
        ("ABC", "i", ("abc",)),
        ("abc|de", "", ("abc", "de")),
        ("abc|[de]", "", ()),
        ("ab?c*", "", ("a",)),
        ("(abc)?x", "", ("x",)),
        ("(a|b)", "", ()),
        (".*", "", ()),
    ],
)
def test_literals(text: str, flags: str, literals: tuple[str, ...]) -> None:
    """Each text in which an expression finds something holds, folded, one of its literals."""
    assert canonical_regex(text, flags).literals == literals


def test_find() -> None:
    """An expression is looked for anywhere in the text."""
    assert passes(Matches(canonical_regex("b").pattern), "abc")
    assert not passes(Matches(canonical_regex("^b").pattern), "abc")
