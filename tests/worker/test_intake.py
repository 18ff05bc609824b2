"""When rules are evaluated that tell what has not happened."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

from auditstream.contract.catalogue import shipped_catalogue
from auditstream.settings import Settings
from auditstream.store.connection import connect
from auditstream.worker import intake as module
from auditstream.worker.append_loop import AppendLoop
from auditstream.worker.intake import Intake
from auditstream.worker.source import RecordSource

if TYPE_CHECKING:
    import pytest

    from auditstream.worker.rule_book import RuleBook


async def test_the_clock_goes_on_under_high_load(monkeypatch: pytest.MonkeyPatch) -> None:
    """More rows wait than a fetch has, as they do each second, but reading does not lag."""
    asked = asyncio.Event()
    running = asyncio.get_running_loop()

    def due(*_: object) -> tuple[()]:
        running.call_soon_threadsafe(asked.set)
        return ()

    in_force = SimpleNamespace(
        pipeline=SimpleNamespace(catalogue=shipped_catalogue()),
        correlator=SimpleNamespace(due=due),
    )
    settings = Settings()
    with connect(settings) as store:
        rules = cast("RuleBook", SimpleNamespace(in_force=in_force))
        monkeypatch.setattr(module, "CLOCK_SECONDS", 0.01)
        monkeypatch.setattr(RecordSource, "holds_partitions", True)
        monkeypatch.setattr(AppendLoop, "rows", settings.fetch_rows + 1)
        intake = Intake(settings, store, rules)
        watching = asyncio.create_task(intake.watch_clock())
        try:
            await asyncio.wait_for(asked.wait(), 5)
        finally:
            await intake.stop()
            await watching
