"""What the log page asks for by itself: events as they arrive, and the file of an export."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Response
from pydantic import Field
from starlette.requests import Request

from auditstream.api.cursors import MAX_CURSOR
from auditstream.api.explorer.queries import read_query
from auditstream.api.explorer.render import fragment
from auditstream.api.explorer.rows import row_of
from auditstream.api.explorer.visit import Visit, visiting
from auditstream.api.export import ExportQuery, FileQuery, export_file, manifest_of
from auditstream.api.stream import StreamQuery, open_stream


class LogStreamQuery(StreamQuery):
    """Which events are wanted, and what the page has seen; a script can send no header."""

    seen: str | None = Field(None, max_length=MAX_CURSOR)


router = APIRouter()
Exporter = Annotated[Visit, Depends(visiting("export"))]


@router.get("/log/stream")
async def stream_log(
    request: Request,
    visit: Annotated[Visit, Depends(visiting("read"))],
    last_event_id: Annotated[str | None, Header(max_length=MAX_CURSOR)] = None,
) -> Response:
    """Send events as they are stored, each as the entry of the log that shows it."""
    catalogue = visit.services.catalogue
    query = read_query(LogStreamQuery, request)

    def tell(line: bytes) -> str:
        return fragment("entry.html", row=row_of(line, catalogue))

    return await open_stream(
        visit.services, request, visit.access, query, last_event_id or query.seen, tell
    )


@router.get("/log/export")
async def export_log(request: Request, visit: Exporter) -> Response:
    """Return a file of events, as the endpoint's export does."""
    return await export_file(visit.services, visit.access, read_query(FileQuery, request))


@router.get("/log/export/manifest")
async def export_manifest(request: Request, visit: Exporter) -> Response:
    """Return what the whole file of an export holds."""
    return await manifest_of(visit.services, visit.access, read_query(ExportQuery, request))
