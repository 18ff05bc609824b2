"""Pages that are read ahead, and for whom they are kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from auditstream.api import read_ahead
from auditstream.api.cursors import Cursors, Place
from auditstream.api.read_ahead import FIRST_PAGES, KEPT_SECONDS, ReadAhead, Walk
from auditstream.store.event_filter import EventFilter
from auditstream.store.read_events import EVENT_SHAPE, Page, position
from auditstream.store.snapshot import Snapshot

EVENTS = 60
LIMIT = 2
AHEAD = 20
SNAPSHOT = Snapshot({"stream": {0: EVENTS}})


@dataclass
class Log:
    """A log of numbered events, the newest first, that notes what is read of it, and a clock."""

    read: list[int] = field(default_factory=list)
    now: float = 0.0

    def page(self, place: Place, limit: int) -> Page:
        """Return the events that follow a place."""
        self.read.append(limit)
        first = 0 if place.after is None else int(place.after.event_id) + 1
        numbers = range(first, min(first + limit, EVENTS))
        lines = tuple(
            json.dumps(
                {"event_id": str(number), "occurred_at": f"2025-01-01T00:{59 - number:02}:00Z"}
            ).encode()
            for number in numbers
        )
        last = position(EVENT_SHAPE, "occurred_at", lines[-1]) if lines else None
        return Page(lines, last, first + limit < EVENTS)

    def walk(self, purpose: str = "purpose", workspace: str = "w", limit: int = LIMIT) -> Walk:
        """Return a walk through it."""
        return Walk(purpose, EventFilter(workspace), EVENT_SHAPE, limit, self.page, AHEAD)


@pytest.fixture
def log() -> Log:
    """A log of which nothing was read."""
    return Log()


@pytest.fixture
def cursors() -> Cursors:
    """Tokens under some key."""
    return Cursors(lambda: b"key")


@pytest.fixture
def ahead(cursors: Cursors, log: Log) -> ReadAhead:
    """Nothing is kept yet; half a minute passes by the log's clock."""
    return ReadAhead(cursors, lambda: log.now)


def steps(ahead: ReadAhead, cursors: Cursors, walk: Walk) -> Iterator[tuple[list[str], str | None]]:
    """Yield the ids of each page of a walk, and the token it gives."""
    step = ahead.begin(walk, SNAPSHOT)
    while True:
        yield [json.loads(line)["event_id"] for line in step.page.lines], step.following
        if step.following is None:
            return
        token = step.following
        place = cursors.open("token", walk.purpose, walk.wanted, token)
        step = ahead.find(walk, token) or ahead.go_on(walk, place, token)


def test_pages_follow_each_other(ahead: ReadAhead, cursors: Cursors, log: Log) -> None:
    """Each event once, in order; a few pages are read with the first, many with those after."""
    pages = [ids for ids, _ in steps(ahead, cursors, log.walk())]
    assert pages == [[str(n), str(n + 1)] for n in range(0, EVENTS, LIMIT)]
    assert log.read[0] == FIRST_PAGES * LIMIT
    assert set(log.read[1:]) == {AHEAD}
    assert len(log.read) == 4  # 10 events, and three times 20


def test_first_page_of_one_snapshot_is_read_once(ahead: ReadAhead, log: Log) -> None:
    """Who asks for the same again when nothing was stored gets it from here; else not."""
    first = ahead.begin(log.walk(), SNAPSHOT)
    assert ahead.begin(log.walk(), SNAPSHOT) == first
    assert len(log.read) == 1
    ahead.begin(log.walk(), SNAPSHOT.moved("stream", 0, EVENTS + 1))
    assert len(log.read) == 2


@pytest.mark.parametrize(
    "other",
    [{"purpose": "another"}, {"workspace": "another"}, {"limit": LIMIT + 1}],
    ids=["purpose", "workspace", "limit"],
)
def test_page_is_kept_for_its_walk_alone(ahead: ReadAhead, log: Log, other: dict[str, str]) -> None:
    """A token shown with another filter finds nothing, so that it is opened, and refused."""
    token = ahead.begin(log.walk(), SNAPSHOT).following
    assert token
    assert ahead.find(log.walk(), token)
    assert ahead.find(log.walk(**other), token) is None  # type: ignore[arg-type]


def test_page_is_forgotten_and_read_anew(ahead: ReadAhead, log: Log) -> None:
    """After half a minute; what is read then is kept again."""
    ahead.begin(log.walk(), SNAPSHOT)
    log.now = KEPT_SECONDS + 1
    for _ in range(2):
        ahead.begin(log.walk(), SNAPSHOT)
    assert len(log.read) == 2


def test_what_was_taken_makes_room(
    ahead: ReadAhead, cursors: Cursors, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages that were given out go before those that are still to be asked for."""
    slow, quick, late = (steps(ahead, cursors, log.walk(workspace=name)) for name in "abc")
    next(slow)
    for _ in range(FIRST_PAGES):
        next(quick)
    # Room for these two, and for two pages more.
    size = sum(map(len, log.page(Place(SNAPSHOT), FIRST_PAGES * LIMIT).lines))
    monkeypatch.setattr(read_ahead, "KEPT_BYTES", 2 * size + 2 * size // FIRST_PAGES)
    next(late)
    log.read.clear()
    for _ in range(FIRST_PAGES - 1):
        next(slow)
    assert not log.read
