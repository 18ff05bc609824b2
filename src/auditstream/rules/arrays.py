"""Metadata and changes as pairs of a source and a value, one row each."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from auditstream.rules.tree import Array, Change

ANY_KEY = "*"


def array_name(source: Array) -> str:
    """Return a name for a source in an array that no other has."""
    if isinstance(source, Change):
        return f"{source.side}:{source.field}"
    return ANY_KEY if source.key is None else f"key:{source.key}"


def array_pairs(events: pl.DataFrame, names: Mapping[str, int]) -> pl.DataFrame | None:
    """Return the values of the named sources: columns row, name (its number), value.

    None when there are none.
    """
    parts = []
    if ANY_KEY in names or any(name.startswith("key:") for name in names):
        metadata = _exploded(events, "metadata")
        if metadata is not None:
            named = metadata.select(
                "row", "value", name=pl.concat_str(pl.lit("key:"), pl.col("key"))
            )
            parts.append(named)
            if ANY_KEY in names:
                parts.append(named.with_columns(name=pl.lit(ANY_KEY)))
    if any(name.startswith(("old:", "new:")) for name in names):
        changes = _exploded(events, "changes")
        if changes is not None:
            parts += [
                changes.select(
                    "row",
                    value=pl.col(side),
                    name=pl.concat_str(pl.lit(f"{side}:"), pl.col("field")),
                ).drop_nulls("value")
                for side in ("old", "new")
            ]
    if not parts:
        return None
    pairs = pl.concat(parts).filter(pl.col("name").is_in(list(names)))
    if pairs.is_empty():
        return None
    number = pl.col("name").replace_strict(names, return_dtype=pl.Int64)
    return pairs.select("row", number, "value")


def _exploded(events: pl.DataFrame, name: str) -> pl.DataFrame | None:
    filled = events.select(name).with_row_index("row").filter(pl.col(name).list.len() > 0)
    return None if filled.is_empty() else filled.explode(name).unnest(name)
