"""Whether the log is complete: sources and their gaps, places in Kafka, rejected records."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from starlette.concurrency import run_in_threadpool

from auditstream.api.explorer.visit import Visit, visiting
from auditstream.store.completeness import missing_of, reached_of, rejects_of, sources_of

router = APIRouter()
Reader = Annotated[Visit, Depends(visiting("read"))]


@router.get("/completeness")
async def show_completeness(visit: Reader) -> Response:
    """Show what came from where, and what did not."""
    return await run_in_threadpool(_completeness, visit)


@router.get("/rejects")
async def show_rejects(visit: Reader) -> Response:
    """Show records of the workspace that could not become events."""
    return await run_in_threadpool(_rejects, visit)


def _completeness(visit: Visit) -> Response:
    store, workspace = visit.services.store, visit.token.workspace_id
    sources = sources_of(store, workspace)
    missing = missing_of(store, workspace)
    reached = reached_of(store, workspace)
    visit.record(len(sources) + len(missing) + len(reached))
    return visit.page("completeness.html", sources=sources, missing=missing, reached=reached)


def _rejects(visit: Visit) -> Response:
    found = rejects_of(visit.services.store, visit.token.workspace_id)
    visit.record(len(found))
    return visit.page("rejects.html", rejects=found)
