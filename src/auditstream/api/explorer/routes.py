"""All pages of the explorer."""

from __future__ import annotations

from fastapi import APIRouter

from auditstream.api.explorer import files, log, log_files, sign_in

router = APIRouter(include_in_schema=False)
for _page in (sign_in, files, log, log_files):
    router.include_router(_page.router)
