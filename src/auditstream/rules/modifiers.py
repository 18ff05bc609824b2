"""Modifiers of Sigma that rules may use, and why the others are left out."""

from __future__ import annotations

from typing import Final

SUPPORTED: Final = frozenset(
    {
        *("contains", "startswith", "endswith", "all", "cased", "neq"),
        *("re", "i", "ignorecase", "m", "multiline", "s", "dotall"),
        *("cidr", "exists", "gt", "gte", "lt", "lte", "fieldref", "expand"),
        *("minute", "hour", "day", "week", "month", "year"),
    }
)

_ENCODED: Final = "events hold text as it is, not encoded: write the text"

LEFT_OUT: Final = {
    "windash": "it is for command lines of Windows: write each form as a value",
    **dict.fromkeys(("base64", "base64offset", "utf16", "utf16le", "utf16be", "wide"), _ENCODED),
}


def complaint(key: str) -> str | None:
    """Return what is wrong with the modifiers of a detection's key, None if nothing is."""
    _, *names = key.split("|")
    for name in names:
        if name in LEFT_OUT:
            return f"modifier {name} is left out: {LEFT_OUT[name]}"
        if name not in SUPPORTED:
            known = ", ".join(sorted(SUPPORTED))
            return f"modifier {name} is not one of {known}"
    if twice := {name for name in names if names.count(name) > 1}:
        return f"modifier {min(twice)} stands twice"
    return None
