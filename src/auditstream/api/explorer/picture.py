"""Who reaches what through which group, as a picture: people, ways, things, and lines between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from auditstream.store.access import Way

MOST: Final = 24
"""Ways that are drawn; the table beside the picture has them all."""

WIDTH: Final = 960
_ROW: Final = 46
_BOX: Final = (240, 34)
_COLUMNS: Final = (0, 360, 720)
_EDGE: Final = 3
_MOST_LETTERS: Final = 30

Kind = Literal["person", "way", "thing"]


@dataclass(frozen=True)
class Box:
    """A name at a place of the picture; `href` leads to its page."""

    x: int
    y: float
    kind: Kind
    text: str
    href_path: str
    href_id: str
    width: int = _BOX[0]
    height: int = _BOX[1]


@dataclass(frozen=True)
class Line:
    """A line between two boxes; `role` stands on it where it says what the way gives."""

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


def draw_access(ways: Sequence[Way]) -> Picture | None:
    """Return the picture of ways, None where there are none."""
    if not ways:
        return None
    shown = ways[:MOST]
    columns: tuple[dict[str, tuple[str, str]], ...] = ({}, {}, {})
    joined: dict[tuple[int, str, str], list[str]] = {}
    for way in shown:
        everyone = way.through == "everyone"
        person = "everyone" if everyone else way.member_id
        columns[0].setdefault(
            person, ("Everyone" if everyone else way.member_username or person, person)
        )
        columns[2].setdefault(way.entity_id, (way.entity_name or way.entity_id, way.entity_id))
        if way.through in ("direct", "everyone"):
            joined.setdefault((-1, person, way.entity_id), []).append(way.role or "")
        else:
            columns[1].setdefault(way.through, (way.through_name or way.through, way.through))
            joined.setdefault((0, person, way.through), [])
            joined.setdefault((1, way.through, way.entity_id), []).append(way.role or "")
    tallest = max(map(len, columns))
    height = tallest * _ROW
    places: list[dict[str, float]] = []
    boxes = []
    kinds: tuple[Kind, ...] = ("person", "way", "thing")
    for x, kind, column in zip(_COLUMNS, kinds, columns, strict=True):
        step = height / max(1, len(column))
        places.append({})
        for number, (key, (text, identity)) in enumerate(column.items()):
            middle = step * (number + 0.5)
            if kind == "way":
                # In the middle of a row, so that lines pass between.
                middle = (middle // _ROW + 0.5) * _ROW
            places[-1][key] = middle
            page = "/actor" if kind == "person" else "/entity"
            target = "" if identity == "everyone" else identity
            boxes.append(Box(x, middle - _BOX[1] / 2, kind, _short(text), page, target))
    leaving = Counter(left for _, left, _ in joined)
    coming = Counter(right for _, _, right in joined)
    lines = []
    for (start, left, right), roles in joined.items():
        first, last = (0, 2) if start < 0 else (start, start + 1)
        x1, y1 = _COLUMNS[first] + _BOX[0], places[first][left]
        x2, y2 = _COLUMNS[last], places[last][right]
        # The role stands where fewer lines meet.
        at_start = coming[right] > leaving[left]
        path = f"M{x1} {y1:.1f}" + _curve(x1, y1, x2, y2)
        if start < 0 and columns[1]:
            left_edge, right_edge = _COLUMNS[1], _COLUMNS[1] + _BOX[0]
            between = min(max(round(y1 / _ROW) * _ROW, _EDGE), height - _EDGE)
            path = (
                f"M{x1} {y1:.1f}"
                + _curve(x1, y1, left_edge, between)
                + f"L{right_edge} {between:.1f}"
                + _curve(right_edge, between, x2, y2)
            )
        lines.append(
            Line(
                path,
                x1 + 10 if at_start else x2 - 10,
                (y1 if at_start else y2) - 6,
                "start" if at_start else "end",
                ", ".join(sorted(set(filter(None, roles)))),
            )
        )
    return Picture(tuple(boxes), tuple(lines), height, len(ways) - len(shown))


def _curve(x1: float, y1: float, x2: float, y2: float) -> str:
    middle = (x1 + x2) / 2
    return f"C{middle} {y1:.1f} {middle} {y2:.1f} {x2} {y2:.1f}"


def _short(text: str) -> str:
    return text if len(text) <= _MOST_LETTERS else f"{text[: _MOST_LETTERS - 1]}…"
