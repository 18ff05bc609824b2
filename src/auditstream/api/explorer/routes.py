"""All pages of the explorer."""

from __future__ import annotations

from fastapi import APIRouter

from auditstream.api.explorer import (
    alert,
    alerts,
    completeness,
    event,
    files,
    log,
    log_files,
    questions,
    sign_in,
    subject,
)

router = APIRouter(include_in_schema=False)
for _page in (
    sign_in,
    files,
    log,
    log_files,
    event,
    alerts,
    alert,
    questions,
    subject,
    completeness,
):
    router.include_router(_page.router)
