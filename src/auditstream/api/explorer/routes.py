"""All pages of the explorer."""

from __future__ import annotations

from fastapi import APIRouter

from auditstream.api.explorer import (
    access,
    alert,
    alerts,
    completeness,
    event,
    files,
    log,
    log_files,
    questions,
    rejects,
    sign_in,
    subject,
)

router = APIRouter(include_in_schema=False)
for _page in (
    *(sign_in, files, log, log_files, event, alerts, alert, questions, subject, access),
    *(completeness, rejects),
):
    router.include_router(_page.router)
