"""Who reaches what through which group, as a picture: people, ways, things, and lines between.

A line joins neighbours only: access that comes through no group passes a box of its own in the
middle, so that no line runs past another column.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from auditstream.store.access import Way

MOST: Final = 24
"""Boxes in a column; the table beside the picture has them all."""

WIDTH: Final = 960
_ROW: Final = 44
_BOX: Final = (240, 32)
_STARTS: Final = (0, 360, 720)
_MOST_LETTERS: Final = 30
_ROUNDS: Final = 3
_PLAIN: Final = {"direct": "Directly", "everyone": "As everyone"}

Kind: TypeAlias = Literal["person", "group", "plain", "thing"]
Edges: TypeAlias = dict[tuple[str, str], set[str]]
"""Roles by the keys of the boxes on the left and on the right."""


@dataclass(frozen=True)
class Box:
    """A name at a place of the picture; `identity` leads to its page, None where it has none."""

    x: int
    y: float
    kind: Kind
    text: str
    identity: str | None
    width: int = _BOX[0]
    height: int = _BOX[1]


@dataclass(frozen=True)
class Line:
    """A line between two boxes; `role` stands at its start or its end, '' where it tells none."""

    path: str
    x: float
    y: float
    anchor: str
    role: str


@dataclass(frozen=True)
class Picture:
    """All of it; `left_out` ways did not fit."""

    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    height: int
    left_out: int
    width: int = WIDTH


@dataclass(frozen=True)
class _Name:
    kind: Kind
    text: str
    identity: str | None


_Column: TypeAlias = dict[str, _Name]


def draw_access(ways: Sequence[Way], reader: tuple[str, str] | None = None) -> Picture | None:
    """Return the picture of ways, None where there are none.

    `reader` is the id and name of the member whom all of them are about: what everyone has is
    theirs, too. Without one, everyone is a box among the people.
    """
    if not ways:
        return None
    columns: tuple[_Column, _Column, _Column] = ({}, {}, {})
    left, right = Edges(), Edges()
    # Where all leads to one thing, what is given directly differs by person; else by thing.
    to_one = len({way.entity_id for way in ways}) == 1
    left_out = 0
    for way in ways:
        names = _names(way, reader)
        if any(
            key not in column and len(column) >= MOST
            for (key, _), column in zip(names, columns, strict=True)
        ):
            left_out += 1
            continue
        for (key, name), column in zip(names, columns, strict=True):
            column.setdefault(key, name)
        person, through, thing = (key for key, _ in names)
        on_left = left.setdefault((person, through), set())
        on_right = right.setdefault((through, thing), set())
        if way.role:
            (on_left if to_one and through in _PLAIN else on_right).add(way.role)
    orders = _ordered(columns, left, right)
    height = max(map(len, orders)) * _ROW
    places = [
        {key: round(height * (number + 0.5) / len(order), 1) for number, key in enumerate(order)}
        for order in orders
    ]
    boxes = (
        Box(_STARTS[at], place - _BOX[1] / 2, name.kind, name.text, name.identity)
        for at, column in enumerate(columns)
        for key, name in column.items()
        for place in (places[at][key],)
    )
    lines = [
        _line(at, places, edge, edges) for at, edges in enumerate((left, right)) for edge in edges
    ]
    return Picture(tuple(boxes), tuple(lines), height, left_out)


def _names(way: Way, reader: tuple[str, str] | None) -> tuple[tuple[str, _Name], ...]:
    """Return the person, the way and the thing, each with the key of its box."""
    if reader is not None:
        person = (reader[0], _Name("person", _short(reader[1]), reader[0]))
    elif way.through == "everyone":
        person = ("", _Name("person", "Everyone", None))
    else:
        name = way.member_username or way.member_id
        person = (way.member_id, _Name("person", _short(name), way.member_id))
    if way.through in _PLAIN:
        through = _Name("plain", _PLAIN[way.through], None)
    else:
        through = _Name("group", _short(way.through_name or way.through), way.through)
    thing = _Name("thing", _short(way.entity_name or way.entity_id), way.entity_id)
    return person, (way.through, through), (way.entity_id, thing)


def _ordered(
    columns: tuple[_Column, _Column, _Column], left: Edges, right: Edges
) -> tuple[list[str], list[str], list[str]]:
    """Return the keys of each column so that few lines cross: at the mean of their neighbours."""
    people, middle, things = (list(column) for column in columns)
    middle.sort(key=lambda key: (key == "everyone", key != "direct"))
    for _ in range(_ROUNDS):
        people = _at_means(people, left, _shares(middle))
        things = _at_means(things, [(thing, way) for way, thing in right], _shares(middle))
        # A person and a thing may share an id.
        around = {("person", key): at for key, at in _shares(people).items()}
        around |= {("thing", key): at for key, at in _shares(things).items()}
        middle = _at_means(
            middle,
            [(way, ("person", key)) for key, way in left]
            + [(way, ("thing", key)) for way, key in right],
            around,
        )
    return people, middle, things


def _at_means(
    keys: list[str], edges: Iterable[tuple[str, object]], places: Mapping[Any, float]
) -> list[str]:
    near: dict[str, list[float]] = {key: [] for key in keys}
    for key, other in edges:
        near[key].append(places[other])
    return sorted(keys, key=lambda key: sum(near[key]) / len(near[key]))


def _shares(order: list[str]) -> dict[object, float]:
    return {key: (number + 0.5) / len(order) for number, key in enumerate(order)}


def _line(
    at: int, places: Sequence[Mapping[str, float]], edge: tuple[str, str], edges: Edges
) -> Line:
    start, end = edge
    x1, x2 = _STARTS[at] + _BOX[0], _STARTS[at + 1]
    y1, y2 = places[at][start], places[at + 1][end]
    middle = (x1 + x2) / 2
    # A role stands where fewer lines meet: beside the line, or where several meet, on its side.
    leaving = sum(start == other for other, _ in edges)
    coming = sum(end == other for _, other in edges)
    at_start = leaving < coming or (leaving == coming and at == 0)
    near, far = (y1, y2) if at_start else (y2, y1)
    above = far < near if min(leaving, coming) > 1 else far >= near
    return Line(
        f"M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}",
        x1 + 8 if at_start else x2 - 8,
        near - 5 if above else near + 14,
        "start" if at_start else "end",
        ", ".join(sorted(edges[edge])),
    )


def _short(text: str) -> str:
    return text if len(text) <= _MOST_LETTERS else f"{text[: _MOST_LETTERS - 1]}…"
