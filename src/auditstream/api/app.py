"""The endpoint as an ASGI app."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from auditstream.api import (
    alert_changes,
    alerts,
    events,
    export,
    published,
    questions,
    runbooks,
    silences,
    stream,
)
from auditstream.api.compress import Compression
from auditstream.api.documents import Problem
from auditstream.api.doorkeeper import Doorkeeper
from auditstream.api.explorer import routes as explorer
from auditstream.api.refusals import add_refusals
from auditstream.api.services import make_services
from auditstream.publish.audit_log import AuditLog
from auditstream.settings import Settings


def make_api(settings: Settings, *, audit: AuditLog | None = None) -> FastAPI:
    """Return the app; serve it with any ASGI server that runs its lifespan.

    Accesses are published through `audit`, by default through an AuditLog of its own that keeps its
    spool under AUDITSTREAM_SPOOL_DIR. ClickHouse and Kafka may be away when it is made.

    Raises:
        ConfigurationError: a setting is wrong.
    """
    services = make_services(settings, audit)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(services.audit.start)
        services.recorder.start()
        services.threads.start()
        yield
        await run_in_threadpool(services.recorder.close)
        await run_in_threadpool(services.threads.close)
        await run_in_threadpool(services.store.close)
        if audit is None:
            await run_in_threadpool(services.audit.close)

    app = FastAPI(
        title="auditstream",
        version=version("auditstream"),
        description="The audit log of a workspace, for workspace tokens. Each access is audited.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.services = services
    # Before the route of one event, whose path is like theirs.
    for part in (
        published,
        export,
        stream,
        explorer,
        events,
        alerts,
        alert_changes,
        silences,
        runbooks,
        questions,
    ):
        app.include_router(part.router)
    add_refusals(app)
    app.add_middleware(Compression)
    app.add_middleware(Doorkeeper)
    _describe(app)
    return app


def _describe(app: FastAPI) -> None:
    """Add to the OpenAPI document what routes cannot say: how a client shows its token."""
    make = app.openapi

    def openapi() -> dict[str, Any]:
        document = make()
        components = document.setdefault("components", {})
        components.setdefault("schemas", {})["Problem"] = Problem.model_json_schema()
        components["securitySchemes"] = {
            "workspaceToken": {
                "type": "http",
                "scheme": "basic",
                "description": "Id of a workspace token as user name, its secret as password.",
            }
        }
        return document

    app.openapi = openapi  # type: ignore[method-assign]
