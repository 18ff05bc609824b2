"""Records under the workspace's key that could not become events.

What is wrong with one may see who reads the log; its bytes, which nothing has checked, who may
take data out of it: they need the scope `export`.
"""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query, Response
from starlette.concurrency import run_in_threadpool

from auditstream.api.explorer.addresses import address
from auditstream.api.explorer.visit import Visit, visiting
from auditstream.contract.dump import hex_dump
from auditstream.contract.reasons import DESCRIPTIONS, REASONS
from auditstream.errors import RefusedError
from auditstream.store.workspace_rejects import (
    Place,
    Reject,
    count_rejects,
    list_rejects,
    read_value,
    rejects_at,
)

PAGE_REJECTS: Final = 50
SHOWN_BYTES: Final = 8_192
_ALL_BYTES: Final = 64 * 1024 * 1024
_MEANINGS: Final[dict[str, str]] = {reason: DESCRIPTIONS[reason] for reason in REASONS}

router = APIRouter()
Reader = Annotated[Visit, Depends(visiting("read"))]
Position = Annotated[str, Path(pattern=r"^\d{1,9}:\d{1,18}$")]


@router.get("/rejects")
async def show_rejects(
    visit: Reader,
    reason: Annotated[str, Query(max_length=64)] = "",
    after: Annotated[str, Query(pattern=r"^(\d{1,18}:\d{1,9}:\d{1,18})?$")] = "",
) -> Response:
    """Show rejected records, the newest first."""
    if reason and reason not in _MEANINGS:
        raise RefusedError(400, "reason: there is none of that name")
    return await run_in_threadpool(_list, visit, reason, after)


@router.get("/rejects/{position}")
async def show_reject(position: Position, visit: Reader) -> Response:
    """Show what is wrong with a record, its bytes, and how it gets a second chance."""
    return await run_in_threadpool(_one, visit, position)


@router.get("/rejects/{position}/value")
async def take_value(
    position: Position, visit: Annotated[Visit, Depends(visiting("export"))]
) -> Response:
    """Return the bytes of a record as a file."""
    return await run_in_threadpool(_value, visit, position)


def _list(visit: Visit, reason: str, after: str) -> Response:
    store, workspace = visit.services.store, visit.token.workspace_id
    behind = Place(*map(int, after.split(":"))) if after else None
    found = list_rejects(
        store, workspace, reason=reason or None, after=behind, limit=PAGE_REJECTS + 1
    )
    counts = count_rejects(store, workspace)
    shown = found[:PAGE_REJECTS]
    visit.record(len(shown))
    kept = [("reason", reason)] if reason else []
    older = None
    if len(found) > PAGE_REJECTS:
        older = address("/rejects", [*kept, ("after", ":".join(map(str, shown[-1].place)))])
    return visit.page(
        "rejects.html",
        rejects=shown,
        total=sum(counts.values()),
        tabs=[("All", "/rejects", not reason)]
        + [
            (f"{name} ({count:,})", address("/rejects", [("reason", name)]), name == reason)
            for name, count in counts.items()
        ],
        first=not after,
        newest=address("/rejects", kept),
        older=older,
    )


def _one(visit: Visit, position: str) -> Response:
    found = _found(visit, position)
    readable = visit.may("export")
    dumps = [_dump(visit, reject) if readable else "" for reject in found]
    visit.record(len(found))
    return visit.page(
        "reject.html",
        position=position,
        rejects=list(zip(found, dumps, strict=True)),
        meanings=_MEANINGS,
        readable=readable,
        shown_bytes=SHOWN_BYTES,
    )


def _value(visit: Visit, position: str) -> Response:
    reject = _found(visit, position)[0]
    body = read_value(visit.services.store, visit.token.workspace_id, reject, _ALL_BYTES)
    visit.record(1)
    name = f"rejected-{reject.partition}-{reject.offset}.bin"
    return Response(
        body,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
        media_type="application/octet-stream",
    )


def _found(visit: Visit, position: str) -> list[Reject]:
    """Return the records at a place.

    Raises:
        RefusedError: 404, there are none of this workspace.
    """
    partition, _, offset = position.partition(":")
    found = rejects_at(visit.services.store, visit.token.workspace_id, int(partition), int(offset))
    if not found:
        visit.record(0)
        raise RefusedError(404, "nothing of the workspace was rejected there")
    return found


def _dump(visit: Visit, reject: Reject) -> str:
    return hex_dump(read_value(visit.services.store, visit.token.workspace_id, reject, SHOWN_BYTES))
