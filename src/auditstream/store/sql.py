"""Values as literals of ClickHouse's SQL."""

from __future__ import annotations


def literal(text: str) -> str:
    """Return `text` as a string literal."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
