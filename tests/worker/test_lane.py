"""A lane gives its slices in order, by size, by age, or because it is to end."""

from __future__ import annotations

import asyncio
import time

from polars.testing import assert_frame_equal

from auditstream.contract.catalogue import shipped_catalogue
from auditstream.pipeline.history import PAYLOAD
from auditstream.pipeline.records import Processed
from auditstream.worker.assignment import Assignment
from auditstream.worker.lane import Lane, Slice
from auditstream.worker.pending import Memory
from auditstream.worker.share import NOTHING, share_out
from tests.store.rows import event_rows

HELD = Assignment("cluster/topic/id", partition=0, number=1, watermark=None, position=0)


def piece(rows: int, next_offset: int, due_in: float = 3600.0) -> Slice:
    """A slice of so many events."""
    events = event_rows(rows)
    share = share_out(
        Processed(events, NOTHING.rejects, duplicates=0, alerts=()),
        Memory(shipped_catalogue()),
        lambda _, __: None,
    )[0]
    return Slice(
        share=share,
        next_offset=next_offset,
        delivered=asyncio.get_running_loop().create_future(),
        due=time.monotonic() + due_in,
    )


async def test_taken_when_full() -> None:
    """Enough rows are taken at once, up to the limit, the rest stays."""
    lane = Lane(HELD)
    for number in range(1, 5):
        lane.add(piece(10, number * 10))
    assert [item.next_offset for item in await lane.take(25)] == [10, 20]
    assert lane.rows == 40
    lane.landed()
    assert lane.settled == 20
    assert lane.rows == 20


async def test_taken_when_old() -> None:
    """When the oldest slice is due, all are taken, however small they are."""
    lane = Lane(HELD)
    lane.add(piece(1, 1, due_in=0.0))
    lane.add(piece(1, 2))
    assert len(await lane.take(1_000)) == 2


async def test_taken_when_hurried() -> None:
    """What is hurried is taken though it is young and small; what comes later waits again."""
    lane = Lane(HELD)
    lane.add(piece(1, 1))
    lane.add(piece(2, 3))
    assert lane.queued == 3
    lane.hurry_by(time.monotonic())
    assert len(await lane.take(1_000)) == 2
    lane.add(piece(4, 7))
    assert lane.queued == 0
    lane.landed()
    assert lane.queued == 4
    taking = asyncio.create_task(lane.take(1_000))
    done, _ = await asyncio.wait([taking], timeout=0.05)
    assert not done
    lane.drain()
    assert len(await taking) == 1


async def test_the_last_of_a_backlog_does_not_wait_for_those_before() -> None:
    """What one append leaves over goes when its last slice is due, though its first is not."""
    lane = Lane(HELD)
    for number in range(1, 4):
        lane.add(piece(10, number * 10))
    lane.add(piece(10, 40, due_in=0.0))
    lane.hurry_by(time.monotonic())
    assert len(await lane.take(20)) == 2
    lane.landed()
    assert len(await asyncio.wait_for(lane.take(1_000), 5)) == 2


async def test_larger_than_the_limit() -> None:
    """A slice larger than the limit is taken alone."""
    lane = Lane(HELD)
    lane.add(piece(50, 50))
    lane.add(piece(50, 100))
    assert len(await lane.take(10)) == 1


async def test_waits_for_more() -> None:
    """A young, small slice is not taken before it is joined by others."""
    lane = Lane(HELD)
    lane.add(piece(5, 5))
    taking = asyncio.create_task(lane.take(10))
    done, _ = await asyncio.wait([taking], timeout=0.05)
    assert not done
    lane.add(piece(5, 10))
    assert len(await asyncio.wait_for(taking, 5)) == 2


async def test_drains_what_is_queued() -> None:
    """A draining lane gives everything at once, then nothing."""
    lane = Lane(HELD)
    lane.add(piece(5, 5))
    lane.drain()
    assert len(await lane.take(1_000)) == 1
    lane.landed()
    assert await lane.take(1_000) == []


async def test_abandoned_gives_nothing() -> None:
    """An abandoned lane gives nothing more and tells an append that waits."""
    lane = Lane(HELD)
    lane.add(piece(5, 5))
    lane.abandon()
    assert await lane.take(1_000) == []
    assert lane.abandoned.is_set()


async def test_events_in_flight_are_pending() -> None:
    """Events count as pending until their append has landed."""
    lane = Lane(HELD)
    lane.add(piece(5, 5))
    lane.drain()
    await lane.take(1_000)
    (pending,) = lane.pending()
    assert_frame_equal(pending.read(pending.ids.is_not_null()), event_rows(5).select(PAYLOAD))
    lane.landed()
    assert lane.pending() == []
