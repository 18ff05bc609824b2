"""Case, character by character: the engines fold alike."""

from __future__ import annotations

import polars as pl
import pytest

from auditstream.rules.fold import fold, fold_expr, fold_sql, variants
from auditstream.rules.meets import passes
from auditstream.rules.regex import canonical_regex
from auditstream.rules.tree import Matches
from auditstream.store.connection import Store
from auditstream.store.sql import literal


def test_every_character(rules_store: Store) -> None:
    """ClickHouse folds each character of Unicode as Polars does."""
    text = (
        "multiIf(number < 128, char(number), "
        "number < 2048, char(192 + intDiv(number, 64), 128 + number % 64), "
        "number < 65536, char(224 + intDiv(number, 4096), 128 + intDiv(number, 64) % 64,"
        " 128 + number % 64), "
        "char(240 + intDiv(number, 262144), 128 + intDiv(number, 4096) % 64,"
        " 128 + intDiv(number, 64) % 64, 128 + number % 64))"
    )
    found = rules_store.query_frame(
        f"SELECT {text} AS text, {fold_sql('text')} AS folded FROM numbers(1, 1114111) "
        "WHERE number NOT BETWEEN 55296 AND 57343"
    )
    assert found.height == 1_114_111 - 2_048
    wrong = found.filter(fold_expr(pl.col("text")) != pl.col("folded"))
    assert wrong.is_empty(), wrong
    assert found["text"].n_unique() == found.height


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("STRASSE", "strasse"),
        ("\u00c9", "\u00e9"),
        ("\u03a3\u0391\u03a3", "\u03c3\u03b1\u03c2"),
        ("\u03a3\u0391\u03a3", "\u03c3\u03b1\u03c3"),
        ("K", "\u212a"),
        ("\u1e9e", "\u00df"),
    ],
)
def test_alike(one: str, other: str) -> None:
    """Texts that differ in case alone are folded alike."""
    assert fold(one) == fold(other)


@pytest.mark.parametrize(("one", "other"), [("ss", "\u00df"), ("s", "\u017f"), ("i", "\u0130")])
def test_different(one: str, other: str) -> None:
    """Letters that are no case of each other stay apart."""
    assert fold(one) != fold(other)


def test_one_character_at_a_time() -> None:
    """Folding a text is folding its characters, so that a part is found in the whole."""
    text = "\u03a3\u0391\u03a3 \u0130I\u0131 \u212a\u1e9eX"
    assert fold(text) == "".join(map(fold, text))


def test_variants_of_regular_expressions(rules_store: Store) -> None:
    """Under i a letter finds all its cases and nothing else, in every engine."""
    letters = ["a", "K", "\u03c3", "\u00e9", "\u0130", "\u1e9e", "1", "\u0436"]
    cases = sorted({chr(other) for some in variants().values() for other in some})
    frame = pl.DataFrame({"text": cases})
    array = f"[{', '.join(map(literal, cases))}]"
    for letter in letters:
        pattern = canonical_regex(letter, "i").pattern
        folds = [text for text in cases if fold(text) == fold(letter)]
        assert frame.filter(pl.col("text").str.contains(pattern))["text"].to_list() == folds
        assert [text for text in cases if passes(Matches(pattern), text)] == folds
        (found,) = rules_store.query_frame(
            f"SELECT arrayFilter(x -> match(x, {literal(pattern)}), {array}) AS found",
            settings={"max_query_size": 1 << 22},
        )["found"].to_list()
        assert found == folds


def test_fold_of_a_column() -> None:
    """Nulls stay."""
    frame = pl.DataFrame({"text": ["\u03a3A\u03c2", None]})
    assert frame.select(fold_expr(pl.col("text")))["text"].to_list() == ["\u03c3a\u03c3", None]
