"""The picture of access: which boxes and lines there are, and that they can be read."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from auditstream.api.explorer.picture import MOST, Picture, draw_access
from auditstream.store.access import Way

SINCE = datetime(2026, 1, 1, tzinfo=UTC)


def way(member: str, thing: str, through: str = "direct", role: str | None = "view") -> Way:
    """Return a way; whatever has an id is called by it in capitals."""
    name = None if through in ("direct", "everyone") else through.upper()
    return Way(
        entity_type="workspace_connection",
        entity_id=thing,
        entity_name=thing.upper(),
        member_id=member,
        member_username=member.upper() or None,
        role=role,
        through=through,
        through_name=name,
        since=SINCE,
        granted_by="boss",
        added_by=None,
    )


def drawn(picture: Picture | None) -> Picture:
    """Return the picture, which has to be there."""
    assert picture
    return picture


def crossings(picture: Picture) -> int:
    """Return how many pairs of lines between the same columns cross."""
    ends = [
        tuple(float(number) for number in re.findall(r"-?[\d.]+", line.path))
        for line in picture.lines
    ]
    spans = [(end[0], end[1], end[-1]) for end in ends]
    return sum(
        first[0] == second[0] and (first[1] - second[1]) * (first[2] - second[2]) < 0
        for number, first in enumerate(spans)
        for second in spans[number + 1 :]
    )


def test_nothing_is_no_picture() -> None:
    """Where nobody reaches anything."""
    assert draw_access([]) is None


def test_every_line_joins_two_boxes_that_are_neighbours() -> None:
    """Also what is given directly, and what everyone has; lines begin and end at boxes."""
    ways = [way("a", "x"), way("b", "x", "g"), way("", "x", "everyone"), way("a", "x", "h")]
    picture = drawn(draw_access(ways))
    left = {(box.x, box.y + box.height / 2) for box in picture.boxes}
    right = {(box.x + box.width, box.y + box.height / 2) for box in picture.boxes}
    for line in picture.lines:
        numbers = [float(number) for number in re.findall(r"-?[\d.]+", line.path)]
        assert (numbers[0], numbers[1]) in right
        assert (numbers[-2], numbers[-1]) in left
    kinds = {(box.kind, box.text) for box in picture.boxes}
    assert kinds == {
        *(("person", "A"), ("person", "B"), ("person", "Everyone"), ("thing", "X")),
        *(("plain", "Directly"), ("plain", "As everyone"), ("group", "G"), ("group", "H")),
    }


def test_what_everyone_has_is_the_readers() -> None:
    """On the page of a person, who is one box, linked to their page."""
    ways = [way("a", "x"), way("", "y", "everyone")]
    picture = drawn(draw_access(ways, ("a", "A")))
    assert [(b.text, b.identity) for b in picture.boxes if b.kind == "person"] == [("A", "a")]


def test_lines_are_untangled() -> None:
    """Whatever the order of the ways: people stand beside the way that they have."""
    ways = [way(f"m{number}", "x", f"g{number % 3}") for number in range(9)]
    assert crossings(drawn(draw_access(ways))) == 0
    mine = [way("a", f"t{number}", f"g{number % 3}") for number in range(9)]
    assert crossings(drawn(draw_access(mine, ("a", "A")))) == 0


def test_roles_stand_where_they_differ() -> None:
    """Of direct access to one thing by the person, else by the thing; none lies on another."""
    ways = [way("a", "x", role="manage"), way("b", "x", role="query"), way("c", "x", "g")]
    to_one = drawn(draw_access(ways))
    assert {line.role for line in to_one.lines if line.x < 360} == {"manage", "query", ""}
    mine = [way("a", "x", role="edit"), way("a", "x", "g", "view"), way("a", "y", role=None)]
    labelled = [line for line in drawn(draw_access(mine, ("a", "A"))).lines if line.role]
    assert {line.role for line in labelled} == {"edit", "view"}
    assert len({(line.x, line.y) for line in labelled}) == len(labelled)


def test_what_does_not_fit_is_counted() -> None:
    """A column has so many boxes; long names are cut."""
    ways = [way(f"{number:04}" * 20, "x") for number in range(MOST + 5)]
    picture = drawn(draw_access(ways))
    assert picture.left_out == 5
    people = [box for box in picture.boxes if box.kind == "person"]
    assert len(people) == MOST
    assert {len(box.text) for box in people} == {30}
