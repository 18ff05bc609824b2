"""Spools: any sequence of additions, readings, removals and restarts keeps every event in order."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from auditstream.publish.disk_spool import DiskSpool
from auditstream.publish.record import Accepted
from auditstream.publish.spool import Destination, MemorySpool, Spool
from auditstream.publish.spool_dir import adopt_spools, create_spool

DESTINATION = Destination("audit.events", "billing", "{}")


def event(position: int, datum: bytes = b"datum") -> Accepted:
    """Return an event for a position."""
    return Accepted(position, f"id-{position}", "action", "2025-02-18", "w-1", "s/1", datum)


class SpoolMachine(RuleBasedStateMachine):
    """A disk spool beside a plain dict."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.directory = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.waiting: dict[int, Accepted] = {}
        self.last = self.handed = 0

    @initialize(flush=st.booleans())
    def make(self, flush: bool) -> None:
        """Begin with an empty spool."""
        self.spool = create_spool(self.directory, DESTINATION, flush=flush)

    @rule(datums=st.lists(st.binary(max_size=9_000), max_size=30))
    def put(self, datums: list[bytes]) -> None:
        """Add events."""
        for datum in datums:
            self.last += 1
            self.waiting[self.last] = event(self.last, datum)
            self.spool.put(self.waiting[self.last])

    @rule(after=st.integers(0, 300), limit=st.integers(1, 100), max_bytes=st.integers(0, 50_000))
    def read(self, after: int, limit: int, max_bytes: int) -> None:
        """Read a stretch: it begins right after a position, and ends at a bound, not before."""
        expected = [item for item in self.waiting.values() if item.position > after]
        found = self.spool.read(after, limit, max_bytes)
        assert found == expected[: len(found)]
        assert len(found) <= limit
        sizes = [item.size for item in expected[: len(found) + 1]]
        if len(found) < min(limit, len(expected)):
            assert found
            assert sum(sizes) > max_bytes
        assert len(found) <= 1 or sum(sizes[: len(found)]) <= max_bytes

    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        """Forget any of the events, as acknowledgements come."""
        chosen = data.draw(st.sets(st.sampled_from(sorted(self.waiting)))) if self.waiting else ()
        self.spool.remove({number: self.waiting.pop(number).size for number in chosen})

    @precondition(lambda self: self.waiting)
    @rule()
    def refuse(self) -> None:
        """Put the first event aside."""
        first = self.waiting.pop(min(self.waiting))
        self.spool.refuse(first.position, first.size, "too large")

    @rule(ahead=st.integers(-5, 5))
    def hand(self, ahead: int) -> None:
        """Note how far events were handed to a producer: that only grows."""
        self.spool.mark_handed(self.handed + ahead)
        self.handed = max(self.handed, self.handed + ahead)

    @rule()
    def tidy(self) -> None:
        """Keep the files small."""
        self.spool.tidy()

    @precondition(lambda self: self.waiting)
    @rule()
    def restart(self) -> None:
        """End the owner; the next process adopts the spool."""
        self.spool.close()
        (self.spool,) = adopt_spools(self.directory)

    @invariant()
    def counts(self) -> None:
        """Count and size are those of what waits."""
        if self.last or self.waiting:
            assert self.spool.count == len(self.waiting)
            assert self.spool.size == sum(item.size for item in self.waiting.values())
            assert self.spool.handed == self.handed
            assert self.spool.destination == DESTINATION

    def teardown(self) -> None:
        """Close the spool: its files are gone if it is empty."""
        self.spool.close()
        self.stack.close()


TestSpoolMachine = SpoolMachine.TestCase
TestSpoolMachine.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None, derandomize=True
)


@pytest.fixture(params=["memory", "disk"])
def spool(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Spool]:
    """An empty spool of each kind."""
    made: Spool
    if request.param == "memory":
        made = MemorySpool(DESTINATION)
    else:
        made = create_spool(tmp_path, DESTINATION, flush=False)
    yield made
    made.close()


def test_both_kinds_agree(spool: Spool) -> None:
    """Memory and disk give back the same events in the same order."""
    for position in range(1, 11):
        spool.put(event(position))
    spool.remove({position: event(position).size for position in (1, 4, 5, 10)})
    spool.refuse(2, event(2).size, "too large")
    spool.mark_handed(7)
    spool.mark_handed(3)
    assert [item.position for item in spool.read(0, 100, 10**6)] == [3, 6, 7, 8, 9]
    assert [item.position for item in spool.read(6, 2, 10**6)] == [7, 8]
    assert [item.position for item in spool.read(0, 100, 1)] == [3]
    assert (spool.count, spool.size, spool.handed) == (5, 5 * event(1).size, 7)


def test_files_shrink(tmp_path: Path) -> None:
    """A spool that was large is small again some time after its events are gone."""
    spool = create_spool(tmp_path, DESTINATION, flush=False)
    for position in range(1, 10_001):
        spool.put(event(position, b"x" * 4_000))
    spool.tidy()
    large = spool.path.stat().st_size
    assert large > 40_000_000
    spool.remove({position: event(position, b"x" * 4_000).size for position in range(1, 10_001)})
    for number in range(10_001, 10_101):
        spool.tidy()
        spool.put(event(number, b"x" * 200_000))
        spool.remove({number: event(number, b"x" * 200_000).size})
    assert spool.path.stat().st_size < large / 2
    spool.close()


def test_log_is_bounded(tmp_path: Path) -> None:
    """The write-ahead log is used anew instead of growing, as long as the spool is tidied."""
    spool = create_spool(tmp_path, DESTINATION, flush=False)
    for number in range(1, 501):
        spool.put(event(number, b"x" * 400_000))
        spool.remove({number: event(number, b"x" * 400_000).size})
        spool.tidy()
    assert Path(f"{spool.path}-wal").stat().st_size < 80_000_000
    spool.close()


def test_refused_events_are_kept(tmp_path: Path) -> None:
    """A spool with events that the broker would not take is put aside when it ends."""
    spool = create_spool(tmp_path, DESTINATION, flush=False)
    spool.put(event(1))
    spool.refuse(1, event(1).size, "too large")
    spool.close()
    assert list(adopt_spools(tmp_path)) == []
    assert [path.name for path in tmp_path.iterdir()] == [spool.path.name + ".refused"]


def test_one_owner(tmp_path: Path) -> None:
    """Nobody adopts a spool whose owner lives; whoever does owns it."""
    spool = create_spool(tmp_path, DESTINATION, flush=False)
    spool.put(event(1))
    assert list(adopt_spools(tmp_path)) == []
    spool.close()
    (adopted,) = adopt_spools(tmp_path)
    assert isinstance(adopted, DiskSpool)
    assert list(adopt_spools(tmp_path)) == []
    adopted.remove({1: event(1).size})
    adopted.close()
    assert list(tmp_path.iterdir()) == []
