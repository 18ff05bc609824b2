"""Scripts and styles of the pages: no secret, for everybody."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, HTTPException
from starlette.responses import Response

from auditstream.api.explorer.render import static_files

_KEPT: Final = "public, max-age=31536000, immutable"

router = APIRouter(include_in_schema=False)


@router.get("/static/{name}")
async def show_file(name: str) -> Response:
    """Return a file; its address changes with its content, so a browser may keep it."""
    file = static_files().get(name)
    if file is None:
        raise HTTPException(404, "there is no such file")
    return Response(file.body, headers={"Cache-Control": _KEPT}, media_type=file.media_type)
