"""Accesses of several requests at a time, each answered when its own is on record."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from auditstream import AuditLog
from auditstream.api.accesses import Access
from auditstream.api.recorder import MOST, Recorder
from auditstream.errors import RefusedError
from auditstream.publish.envelope import Envelope
from auditstream.store.tokens import Token
from tests.api.conftest import audit_log_of_no_room, metadata_of

TOKEN = Token("t1", "w1", "acme", "reader", ("read",), datetime.now(UTC), "tester", ())


@contextmanager
def recording(audit: AuditLog) -> Iterator[Recorder]:
    recorder = Recorder(audit)
    recorder.start()
    try:
        yield recorder
    finally:
        recorder.close()


async def test_all_are_on_record_in_order(audit: AuditLog, published: list[Envelope]) -> None:
    """More of them than are answered together."""
    paths = [f"/{number}" for number in range(3 * MOST)]
    with recording(audit) as recorder:
        await asyncio.gather(*(recorder.record(Access(TOKEN, path), 7) for path in paths))
        assert [metadata_of(event)["path"] for event in published] == paths


async def test_each_is_told_what_became_of_its_own(tmp_path: Path) -> None:
    """Those that fitted into the spool were kept; the others are refused."""
    with audit_log_of_no_room(tmp_path, max_spool_events=3) as audit, recording(audit) as recorder:
        answers = await asyncio.gather(
            *(recorder.record(Access(TOKEN, "/"), 0) for _ in range(5)), return_exceptions=True
        )
        assert answers[:3] == [None] * 3
        assert [type(answer) for answer in answers[3:]] == [RefusedError] * 2
        assert audit.stats().spooled == 3


async def test_client_that_goes_disturbs_no_other(
    audit: AuditLog, published: list[Envelope]
) -> None:
    """Its access is on record all the same."""
    with recording(audit) as recorder:
        gone = asyncio.ensure_future(recorder.record(Access(TOKEN, "/gone"), 0))
        await asyncio.sleep(0)
        gone.cancel()
        await recorder.record(Access(TOKEN, "/next"), 0)
        with pytest.raises(asyncio.CancelledError):
            await gone
    assert [metadata_of(event)["path"] for event in published] == ["/gone", "/next"]
