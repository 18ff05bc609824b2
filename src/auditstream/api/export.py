"""Exports: all events that a filter leaves, as a file, with a manifest to check it by.

The file is streamed from ClickHouse and never held here. Its name is an export id, which pins what
was stored when it began: asked for again under that id, the same bytes come again, from any offset
on, so that a client that was cut off goes on where it was. The manifest counts and hashes the whole
file; it is kept for exports that were read to their end, and made by reading again for others.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final, Literal, TypeAlias

from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import StreamingResponse

from auditstream.api.accesses import Access, record_access
from auditstream.api.admit import admitting
from auditstream.api.cursors import MAX_CURSOR, Place
from auditstream.api.documents import SECURITY, Manifest, refusals
from auditstream.api.event_query import EventQuery
from auditstream.api.events import told
from auditstream.api.services import Services, services_of
from auditstream.store.event_filter import EventFilter
from auditstream.store.export_events import FileFormat, export_events
from auditstream.store.read_events import EVENT_SHAPE, count_events
from auditstream.store.snapshot import Snapshot

ExportFormat: TypeAlias = Literal["csv", "jsonl", "parquet", "arrow", "ocsf", "ecs"]

MEDIA_TYPES: Final[dict[str, str]] = {
    "csv": "text/csv; charset=utf-8; header=present",
    "jsonl": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.stream",
    "ocsf": "application/x-ndjson",
    "ecs": "application/x-ndjson",
}
_FILES: Final[dict[str, FileFormat]] = {"ocsf": "jsonl", "ecs": "jsonl"}
_ENDINGS: Final = {"ocsf": "ocsf.jsonl", "ecs": "ecs.jsonl"}
MANIFESTS: Final = 1_000
MAX_OFFSET: Final = 1 << 50

router = APIRouter(prefix="/v1/{workspace_username}/events", tags=["exports"])
Exporter: TypeAlias = Annotated[Access, Depends(admitting("export"))]


class ExportQuery(EventQuery):
    """Which events are wanted, in which format."""

    format: ExportFormat = Field("jsonl", description="ocsf and ecs are JSON lines.")
    export: str | None = Field(
        None, max_length=MAX_CURSOR, description="Header Export-Id of an export to be gone on with."
    )


class FileQuery(ExportQuery):
    """Besides, where to go on."""

    offset: int = Field(0, ge=0, le=MAX_OFFSET, description="Bytes that the client has already.")


@dataclass(frozen=True)
class _Export:
    name: str
    wanted: EventFilter
    snapshot: Snapshot
    format: ExportFormat


class Manifests:
    """Manifests of exports by id, the newest ones; for many threads."""

    def __init__(self) -> None:
        self._found: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, name: str) -> bytes | None:
        """Return a manifest that is known."""
        with self._lock:
            return self._found.get(name)

    def put(self, name: str, manifest: bytes) -> None:
        """Keep a manifest."""
        with self._lock:
            self._found[name] = manifest
            while len(self._found) > MANIFESTS:
                self._found.popitem(last=False)


_manifests = Manifests()


@router.get(
    "/export",
    response_class=Response,
    responses={
        200: {
            "description": "The file. Header Export-Id names it.",
            "content": {
                media_type.partition(";")[0]: {"schema": {"type": "string", "format": "binary"}}
                for media_type in MEDIA_TYPES.values()
            },
        },
        **refusals(),
    },
    openapi_extra=SECURITY,
)
async def export(
    request: Request, access: Exporter, query: Annotated[FileQuery, Query()]
) -> Response:
    """Return a file of events, the oldest first.

    If the answer breaks off, ask again with `export` and `offset`. Compare the whole file with the
    manifest, which the header Link names.
    """
    return await export_file(services_of(request), access, query)


async def export_file(services: Services, access: Access, query: FileQuery) -> Response:
    """Return the file of a query; the access is audited before.

    Raises:
        RefusedError: 400 or 503, it cannot be begun or recorded.
        ServiceUnavailableError, StoreError: see `Store`.
    """
    begun = await run_in_threadpool(_begin, services, access, query)
    events = await run_in_threadpool(count_events, services.store, begun.wanted, begun.snapshot)
    await run_in_threadpool(record_access, services.audit, access, events)
    now = datetime.now(UTC)
    ending = _ENDINGS.get(begun.format, begun.format)
    headers = {
        "Export-Id": begun.name,
        "Export-Events": str(events),
        "Link": f'<{access.path}/manifest>; rel="describedby"',
        "Content-Disposition": f'attachment; filename="events-{now:%Y%m%dT%H%M%SZ}.{ending}"',
    }
    pieces = _skipping(_hashing(begun, events, _pieces(services, begun)), query.offset)
    return StreamingResponse(pieces, headers=headers, media_type=MEDIA_TYPES[begun.format])


@router.get(
    "/export/manifest",
    response_class=Response,
    responses={200: {"model": Manifest, "description": "What the whole file holds."}, **refusals()},
    openapi_extra=SECURITY,
)
async def manifest(
    request: Request, access: Exporter, query: Annotated[ExportQuery, Query()]
) -> Response:
    """Return how many events and bytes an export has, and the SHA-256 of its bytes.

    Takes the parameters of the export; without `export`, of one that would begin now.
    """
    return await manifest_of(services_of(request), access, query)


async def manifest_of(services: Services, access: Access, query: ExportQuery) -> Response:
    """Return the manifest of an export; raises as `export_file` does."""
    body = await run_in_threadpool(_manifest, services, access, query)
    return Response(body, media_type="application/json")


def _begin(services: Services, access: Access, query: ExportQuery) -> _Export:
    wanted = query.event_filter(access.token.workspace_id)
    purpose = f"export {query.format}"
    if query.export is not None:
        place = services.cursors.open("export", purpose, wanted, query.export)
        return _Export(query.export, wanted, place.snapshot, query.format)
    snapshot = services.snapshots.read()
    name = services.cursors.seal(purpose, wanted, Place(snapshot))
    return _Export(name, wanted, snapshot, query.format)


def _manifest(services: Services, access: Access, query: ExportQuery) -> bytes:
    begun = _begin(services, access, query)
    found = _manifests.get(begun.name)
    if found is None:
        events = count_events(services.store, begun.wanted, begun.snapshot)
        for _ in _hashing(begun, events, _pieces(services, begun)):
            pass
        found = _manifests.get(begun.name) or b""
    record_access(services.audit, access, 0)
    return found


def _pieces(services: Services, begun: _Export) -> Iterator[bytes]:
    form = _FILES.get(begun.format)
    pieces = export_events(
        services.store,
        EVENT_SHAPE,
        begun.wanted,
        begun.snapshot,
        form or begun.format,  # type: ignore[arg-type]  # what is in no other table is a file format
    )
    return pieces if form is None else _translated(pieces, begun.format)


def _translated(pieces: Iterator[bytes], form: str) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        if lines:
            yield b"".join(told(line, form) + b"\n" for line in lines)


def _hashing(begun: _Export, events: int, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Pass the pieces on; at their end, keep the manifest."""
    digest = hashlib.sha256()
    size = 0
    for piece in pieces:
        digest.update(piece)
        size += len(piece)
        yield piece
    form = {
        "export": begun.name,
        "format": begun.format,
        "events": events,
        "bytes": size,
        "sha256": digest.hexdigest(),
    }
    _manifests.put(begun.name, json.dumps(form).encode())


def _skipping(pieces: Iterator[bytes], offset: int) -> Iterator[bytes]:
    for piece in pieces:
        if offset < len(piece):
            yield piece[offset:]
        offset = max(0, offset - len(piece))
