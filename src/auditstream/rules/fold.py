"""Case: what it means that two texts are equal but for case, the same in every engine.

A text is folded by Unicode's default lower-casing, which Rust (Polars) and ICU (ClickHouse) both
do, and by writing every final sigma as a sigma, because lower-casing alone makes one or the other
by its place in the word. The tests prove for each character that both engines fold it alike.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import polars as pl

SIGMA: Final = "\N{GREEK SMALL LETTER SIGMA}"
FINAL_SIGMA: Final = "\N{GREEK SMALL LETTER FINAL SIGMA}"
_SURROGATES: Final = range(0xD800, 0xE000)
_END: Final = 0x110000


def fold(text: str) -> str:
    """Return a text without regard to case."""
    if text.isascii():
        return text.lower()
    return str(pl.select(fold_expr(pl.lit(text))).item())


def fold_expr(text: pl.Expr) -> pl.Expr:
    """Return the texts of an expression without regard to case."""
    return text.str.to_lowercase().str.replace_all(FINAL_SIGMA, SIGMA, literal=True)


def fold_sql(text: str) -> str:
    """Return the ClickHouse expression of a text without regard to case."""
    return f"replaceAll(lowerUTF8({text}), '{FINAL_SIGMA}', '{SIGMA}')"


@cache
def variants() -> dict[int, tuple[int, ...]]:
    """Return for each character of several cases all that fold alike, itself included.

    A character that folds to several (İ) is like no other.
    """
    texts = pl.DataFrame({"text": [chr(n) for n in range(_END) if n not in _SURROGATES]})
    groups = (
        texts.group_by(fold_expr(pl.col("text")).alias("folded"))
        .agg("text")
        .filter(pl.col("folded").str.len_chars() == 1, pl.col("text").list.len() > 1)
    )
    alike = (tuple(sorted(map(ord, group))) for group in groups["text"])
    return {number: group for group in alike for number in group}
