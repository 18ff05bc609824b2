"""Silences of a workspace: what its people want to hear nothing of for a while."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Final, TypeAlias
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from auditstream.alerts.silences import SilenceError, silence, unsilence
from auditstream.api.accept import require_accepted
from auditstream.api.accesses import Access, record_access
from auditstream.api.admit import admitting
from auditstream.api.documents import SECURITY, SilenceForm, Silences, Why, refusals
from auditstream.api.event_query import Level, Value
from auditstream.api.parameters import read_time
from auditstream.api.services import Services, services_of
from auditstream.contract.limits import MAX_TEXT
from auditstream.errors import RefusedError
from auditstream.store.alert_silences import Silence, list_silences

_JSON: Final = "application/json"
_MATCHED: Final = ("rule", "level", "actor", "entity")

router = APIRouter(prefix="/v1/{workspace_username}/silences", tags=["alerts"])
Watcher: TypeAlias = Annotated[Access, Depends(admitting("alerts"))]


class SilenceQuery(BaseModel):
    """Which silences are wanted."""

    model_config = ConfigDict(extra="forbid")

    all: bool = Field(False, description="Those that have ended, too.")


class NewSilence(BaseModel):
    """What is to be silenced: alerts that agree with all that is given, of which there is one."""

    model_config = ConfigDict(extra="forbid")

    rule: Value | None = Field(None, description="Id of the rule.", examples=["role_escalation"])
    level: Level | None = Field(None, description="Just this level.", examples=["medium"])
    actor: Value | None = Field(
        None, description="Who acted, as the alert shows it.", examples=["peter_parker"]
    )
    entity: Value | None = Field(
        None, description="What was acted on, as the alert shows it.", examples=["Star Space"]
    )
    until: str = Field(
        max_length=64,
        description="When it ends by itself, within 90 days, ISO 8601.",
        examples=["2025-02-18T12:00:00Z"],
    )
    reason: str = Field(min_length=1, max_length=MAX_TEXT, description="Why, for others.")


@router.get(
    "",
    response_class=Response,
    responses={200: {"model": Silences, "description": "The silences."}, **refusals()},
    openapi_extra=SECURITY,
)
async def silences(
    request: Request, access: Watcher, query: Annotated[SilenceQuery, Query()]
) -> Response:
    """Return the silences of a workspace that are in force, the newest first.

    One that operators have made for all workspaces is not among them.
    """
    require_accepted(request.headers.get("accept"), _JSON)
    body = await run_in_threadpool(_list, services_of(request), access, everything=query.all)
    return Response(body, media_type=_JSON)


@router.post(
    "",
    status_code=201,
    response_class=Response,
    responses={
        201: {"model": SilenceForm, "description": "The silence that was made."},
        **refusals(),
    },
    openapi_extra=SECURITY,
)
async def make(request: Request, access: Watcher, wanted: NewSilence) -> Response:
    """Silence alerts of the workspace for a while; what that hides is noted."""
    require_accepted(request.headers.get("accept"), _JSON)
    body = await run_in_threadpool(_make, services_of(request), access, wanted)
    return Response(body, 201, media_type=_JSON)


@router.post(
    "/{silence_id}/end",
    response_class=Response,
    responses={
        200: {"model": SilenceForm, "description": "The silence, which has ended."},
        **refusals((404, "The workspace has no such silence."), (409, "It has ended already.")),
    },
    openapi_extra=SECURITY,
)
async def end(
    request: Request,
    access: Watcher,
    silence_id: Annotated[UUID, Path(description="Id of the silence.")],
    why: Annotated[Why | None, Body()] = None,
) -> Response:
    """End a silence before its time."""
    require_accepted(request.headers.get("accept"), _JSON)
    reason = why.reason if why else ""
    body = await run_in_threadpool(_end, services_of(request), access, str(silence_id), reason)
    return Response(body, media_type=_JSON)


def _list(services: Services, access: Access, *, everything: bool) -> str:
    now = datetime.now(UTC)
    found = [
        known
        for known in list_silences(services.store, None if everything else now)
        if known.workspace_id == access.token.workspace_id and (everything or known.in_force(now))
    ]
    record_access(services.audit, access, len(found))
    return Silences(silences=[_form(known, now) for known in found]).model_dump_json()


def _make(services: Services, access: Access, wanted: NewSilence) -> str:
    until = read_time("until", wanted.until)
    given = {name: value for name in _MATCHED if (value := getattr(wanted, name)) is not None}
    if not given:
        raise RefusedError(400, f"one of {', '.join(_MATCHED)} is wanted")
    # Before it is made: what cannot be recorded does not happen.
    told = {**access.filters, **given, "until": until.isoformat(), "reason": wanted.reason}
    record_access(services.audit, replace(access, filters=told), 0)
    try:
        made = silence(
            services.store,
            until=until,
            author=_author(access),
            reason=wanted.reason,
            rule_id=wanted.rule,
            level=wanted.level,
            actor=wanted.actor,
            workspace_id=access.token.workspace_id,
            entity=wanted.entity,
        )
    except SilenceError as error:
        raise RefusedError(400, str(error)) from None
    return _form(made, made.at).model_dump_json()


def _end(services: Services, access: Access, silence_id: str, reason: str) -> str:
    known = [
        known
        for known in list_silences(services.store)
        if known.silence_id == silence_id and known.workspace_id == access.token.workspace_id
    ]
    record_access(services.audit, access, len(known))
    if not known:
        raise RefusedError(404, "the workspace has no such silence")
    by = _author(access)
    try:
        unsilence(services.store, silence_id, by, reason)
    except SilenceError as error:
        raise RefusedError(409, str(error)) from None
    now = datetime.now(UTC)
    ended = replace(known[0], at=now, author=by, reason=reason, cancelled=True)
    return _form(ended, now).model_dump_json()


def _author(access: Access) -> str:
    return f"{access.token.name} ({access.token.token_id})"


def _form(known: Silence, now: datetime) -> SilenceForm:
    in_force = "in force" if known.in_force(now) else "ended"
    return SilenceForm.model_validate(
        {
            "silence_id": known.silence_id,
            "rule": known.rule_id,
            "level": known.level,
            "actor": known.actor,
            "entity": known.entity,
            "until": known.until,
            "state": "cancelled" if known.cancelled else in_force,
            "at": known.at,
            "by": known.author,
            "reason": known.reason,
        }
    )
