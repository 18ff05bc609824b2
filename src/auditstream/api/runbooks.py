"""The runbooks that alerts link to: the same for every workspace, and no secret."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException
from fastapi.responses import PlainTextResponse

from auditstream.rules.files import runbook_page

router = APIRouter()


@router.get("/runbooks/{name}", response_class=PlainTextResponse, include_in_schema=False)
def show_runbook(name: str) -> PlainTextResponse:
    """Return a shipped runbook as Markdown."""
    page = runbook_page(name)
    if page is None:
        raise HTTPException(404, "there is no such runbook")
    return PlainTextResponse(page, media_type="text/markdown")
