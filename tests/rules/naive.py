"""The third engine: Sigma as its specification reads, one event at a time, written to be obvious.

It shares nothing with the code under test but the names of columns.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import cache
from ipaddress import ip_address, ip_network
from types import CodeType
from typing import Any

import polars as pl

from auditstream.store.columns import EVENT_SCHEMA

Event = Mapping[str, Any]


def fires(detection: Mapping[str, Any], event: Event) -> bool:
    """Return whether a detection section, its condition included, holds for an event."""

    def of(name: str) -> bool:
        return definition_holds(detection[name], event)

    names = tuple(name for name in detection if name != "condition")
    return bool(eval(program(detection["condition"], names), {"of": of}))  # noqa: S307


@cache
def program(condition: str, names: tuple[str, ...]) -> CodeType:
    """Return a condition as an expression of Python that asks `of` for each detection."""

    def spelled_out(found: re.Match[str]) -> str:
        wanted = ".*" if found[2] == "them" else found[2].replace("*", ".*")
        chosen = [name for name in names if re.fullmatch(wanted, name)]
        return f"({(' or ' if found[1] == '1' else ' and ').join(chosen)})"

    text = re.sub(r"\b(1|all) of ([\w*]+)", spelled_out, condition)
    pattern = rf"(?<!\w)({'|'.join(map(re.escape, names))})(?!\w)"
    return compile(re.sub(pattern, r"of('\1')", text), "condition", "eval")


def definition_holds(definition: Any, event: Event) -> bool:
    """Return whether a detection holds: all of a map, any of a list, keywords."""
    if isinstance(definition, dict):
        return all(item_holds(key, value, event) for key, value in definition.items())
    if isinstance(definition, list) and any(isinstance(item, dict) for item in definition):
        return any(definition_holds(item, event) for item in definition)
    words = definition if isinstance(definition, list) else [definition]
    texts = [event["sentence"], *(pair["value"] for pair in event["metadata"])]
    return any(like(str(word), text, before=True, after=True) for word in words for text in texts)


def item_holds(key: str, value: Any, event: Event) -> bool:
    """Return whether one entry of a map holds."""
    name, *modifiers = key.split("|")
    wanted = value if isinstance(value, list) else [value]
    every = all if "all" in modifiers else any
    found = every(value_holds(name, modifiers, item, event) for item in wanted)
    return not found if "neq" in modifiers else found


def value_holds(name: str, modifiers: list[str], wanted: Any, event: Event) -> bool:
    """Return whether a field has a value in the sense of its modifiers."""
    values = values_of(name, event)
    empty = not values or (name in EVENT_SCHEMA and values == [""])
    if wanted is None or "exists" in modifiers:
        return empty == (wanted is None or not wanted)
    partial = {"contains", "startswith", "endswith"} & {*modifiers}
    if isinstance(wanted, str) and not wanted.strip("*") and (wanted or partial):
        return not empty
    if "fieldref" in modifiers:
        others = values_of(wanted, event)
        return any(refers(modifiers, one, other) for one in values for other in others)
    return any(passes(modifiers, wanted, value) for value in values)


def values_of(name: str, event: Event) -> list[Any]:
    """Return all values of a field."""
    if name.startswith("metadata."):
        return [pair["value"] for pair in event["metadata"] if pair["key"] == name[9:]]
    if name.startswith("changes."):
        field, side = name[8:].rsplit(".", 1)
        found = [change[side] for change in event["changes"] if change["field"] == field]
        return [value for value in found if value is not None]
    return [] if event[name] is None else [event[name]]


def passes(modifiers: list[str], wanted: Any, value: Any) -> bool:
    """Return whether one value is as wanted."""
    if "re" in modifiers:
        flags = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL}
        combined = re.ASCII
        for name in modifiers:
            combined |= flags.get(name, 0)
        # Without m a dollar is the end of the text, also before a last line break.
        pattern = wanted if "m" in modifiers else re.sub(r"(?<!\\)\$", r"\\Z", wanted)
        return re.search(pattern, value, combined) is not None
    if "cidr" in modifiers:
        try:
            return ip_address(value) in ip_network(wanted)
        except ValueError:
            return False
    for name in ("minute", "hour", "day", "month", "year"):
        if name in modifiers:
            return bool(getattr(value, name) == wanted)
    if "week" in modifiers:
        return bool(value.isocalendar().week == wanted)
    for name in ("gt", "gte", "lt", "lte"):
        if name in modifiers:
            return compares(name, value, wanted)
    if isinstance(value, str):
        text = str(wanted).lower() if isinstance(wanted, bool) else str(wanted)
        before = bool({"contains", "endswith"} & {*modifiers})
        after = bool({"contains", "startswith"} & {*modifiers})
        return like(text, value, before=before, after=after, cased="cased" in modifiers)
    return bool(value == wanted)


def refers(modifiers: list[str], one: Any, other: Any) -> bool:
    """Return whether one value is like that of another field."""
    if not isinstance(one, str):
        return bool(one == other)
    return refers_text(modifiers, folded(one), folded(other))


def refers_text(modifiers: list[str], one: str, other: str) -> bool:
    """Return whether a text is like another."""
    if "contains" in modifiers:
        return other in one
    if "startswith" in modifiers:
        return one.startswith(other)
    return one.endswith(other) if "endswith" in modifiers else one == other


def compares(operator: str, value: Any, wanted: float) -> bool:
    """Return whether a number, or text in plain decimal notation, is beyond another."""
    if isinstance(value, str):
        if not re.fullmatch(r"-?[0-9]{1,18}(\.[0-9]{1,9})?", value, re.ASCII):
            return False
        value = Decimal(value)
    limit = Decimal(str(wanted))
    value = value if isinstance(value, Decimal | int) else Decimal(value)
    if operator == "gt":
        return bool(value > limit)
    return bool({"gte": value >= limit, "lt": value < limit, "lte": value <= limit}[operator])


def like(
    pattern: str, text: str, *, before: bool = False, after: bool = False, cased: bool = False
) -> bool:
    """Return whether a text is of the form of a pattern with * and ? and backslashes.

    Anything may stand before or after on demand.
    """
    parts: list[str] = []
    place = 0
    while place < len(pattern):
        letter = pattern[place]
        if letter == "\\" and pattern[place + 1 : place + 2] in ("*", "?", "\\"):
            parts.append("=" + pattern[place + 1])
            place += 1
        else:
            parts.append(letter if letter in "*?" else "=" + letter)
        place += 1
    if not cased:
        parts = [part if part in "*?" else "=" + letter for part in parts for letter in once(part)]
        text = folded(text)
    reached = {0}
    for part in ["*"] * before + parts + ["*"] * after:
        if part == "*":
            reached = {end for start in reached for end in range(start, len(text) + 1)}
        else:
            wanted = {start for start in reached if start < len(text)}
            reached = {start + 1 for start in wanted if part in ("?", "=" + text[start])}
    return len(text) in reached


def once(part: str) -> str:
    """Return the folded letters of a part, one mark for a wildcard."""
    return part if part in "*?" else folded(part[1:])


def folded(text: str) -> str:
    """Return a text without regard to case."""
    return text.lower().replace(
        "\N{GREEK SMALL LETTER FINAL SIGMA}", "\N{GREEK SMALL LETTER SIGMA}"
    )


def rows(events: pl.DataFrame) -> list[dict[str, Any]]:
    """Return events as the naive engine takes them."""
    assert isinstance(events["occurred_at"][0], datetime)
    return events.to_dicts()
