"""Alerts are written one write at a time, those that wait together; each caller is answered."""

from __future__ import annotations

import asyncio

import pytest

from auditstream.contract.alert import Alert
from auditstream.errors import AbandonedError
from auditstream.worker.alert_rows import AlertRows
from tests.alerts.samples import alert


def test_together() -> None:
    """What comes during a write is one write, and done only when that is."""

    async def run() -> None:
        written: list[list[Alert]] = []
        gate = asyncio.Semaphore(0)

        async def write(alerts: tuple[Alert, ...]) -> None:
            await gate.acquire()
            written.append(list(alerts))

        rows = AlertRows(write, pause=lambda: 0.0)
        first = asyncio.create_task(rows.add([alert(0)]))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        others = [asyncio.create_task(rows.add([alert(n), alert(n + 10)])) for n in (1, 2)]
        gate.release()
        await first
        assert (written, [task.done() for task in others]) == ([[alert(0)]], [False, False])
        gate.release()
        await asyncio.gather(*others)
        assert written[1:] == [[alert(1), alert(11), alert(2), alert(12)]]

    asyncio.run(run())


def test_failure() -> None:
    """A write that fails fails for those whose alerts it had; the next one goes on."""

    async def run() -> None:
        failing = True

        async def write(_: tuple[Alert, ...]) -> None:
            await asyncio.sleep(0)
            if failing:
                raise AbandonedError("given up")

        rows = AlertRows(write, pause=lambda: 0.0)
        with pytest.raises(AbandonedError):
            await rows.add([alert(0)])
        failing = False
        await rows.add([alert(1)])

    asyncio.run(run())
