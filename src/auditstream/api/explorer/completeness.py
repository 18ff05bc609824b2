"""Whether the log is complete: sources and their numbers, delays, places in Kafka, rejects."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from starlette.concurrency import run_in_threadpool

from auditstream.alerts.health import CANARY
from auditstream.api.explorer.visit import Visit, visiting
from auditstream.store.completeness import delays_of, last_crossing, reached_of, sources_of
from auditstream.store.workspace_rejects import count_rejects

router = APIRouter()


@router.get("/completeness")
async def show_completeness(
    visit: Annotated[Visit, Depends(visiting("read"))],
) -> Response:
    """Show what came from where, how soon, and what did not."""
    store, workspace = visit.services.store, visit.token.workspace_id
    sources, reached, delays, crossing, rejects = await asyncio.gather(
        run_in_threadpool(sources_of, store, workspace),
        run_in_threadpool(reached_of, store, workspace),
        run_in_threadpool(delays_of, store, workspace),
        run_in_threadpool(last_crossing, store, CANARY),
        run_in_threadpool(count_rejects, store, workspace),
    )
    await run_in_threadpool(visit.record, len(sources) + len(reached) + len(rejects))
    return await run_in_threadpool(
        visit.page,
        "completeness.html",
        sources=sources,
        missing=sum(source.missing for source in sources),
        reached=reached,
        delays=delays,
        crossing=crossing,
        rejects=rejects,
    )
