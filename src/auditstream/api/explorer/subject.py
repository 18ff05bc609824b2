"""The pages of an actor and of an entity: what was done, how often, and who reaches what now."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Response
from starlette.concurrency import run_in_threadpool

from auditstream.api.event_query import EventQuery
from auditstream.api.explorer.addresses import address
from auditstream.api.explorer.chart import draw
from auditstream.api.explorer.picture import draw_access
from auditstream.api.explorer.rows import LOG_SHAPE, row_from
from auditstream.api.explorer.visit import Visit, visiting
from auditstream.errors import RefusedError
from auditstream.store.access import memberships_at, ways_at
from auditstream.store.event_filter import EventFilter
from auditstream.store.histogram import read_histogram
from auditstream.store.read_events import Page, Shape, read_page
from auditstream.store.snapshot import Snapshot

MOST_WAYS: Final = 500
_RECENT: Final = 20
_GROUP: Final = "workspace_group"
_SHAPE: Final = Shape(
    {
        **LOG_SHAPE.columns,
        "member_id": "e.member_id",
        "member_username": "e.member_username",
        "group_id": "e.group_id",
        "group_name": "e.group_name",
    },
    LOG_SHAPE.id_name,
    LOG_SHAPE.time_name,
)

router = APIRouter()
Reader = Annotated[Visit, Depends(visiting("read"))]
Identity = Annotated[str, Query(min_length=1, max_length=256)]


@router.get("/actor")
async def show_actor(id: Identity, visit: Reader) -> Response:  # noqa: A002 - the parameter's name
    """Show what somebody did, what was done to them, and what they reach now."""
    return await run_in_threadpool(_actor, visit, id)


@router.get("/entity")
async def show_entity(id: Identity, visit: Reader) -> Response:  # noqa: A002 - the parameter's name
    """Show what was done with a thing or group, and who reaches it, or through it, now."""
    return await run_in_threadpool(_entity, visit, id)


def _actor(visit: Visit, identity: str) -> Response:
    snapshot = visit.services.snapshots.read()
    did = _filter(visit, actor=[identity])
    done = _recent(visit, did, snapshot)
    to_them = _recent(visit, _filter(visit, member=[identity]), snapshot)
    events = [*done, *to_them]
    if not events:
        visit.record(0)
        raise RefusedError(404, "nobody of this id is in the log of the workspace")
    # A name leads to the id that the tables of access go by.
    number = next(
        (
            event[f"{part}_id"]
            for event in events
            for part in ("actor", "member")
            if identity in (event[f"{part}_id"], event[f"{part}_username"]) and event[f"{part}_id"]
        ),
        identity,
    )
    name = next(
        (
            event[f"{part}_username"]
            for event in events
            for part in ("actor", "member")
            if event[f"{part}_id"] == number and event[f"{part}_username"]
        ),
        identity,
    )
    store, workspace, now = visit.services.store, visit.token.workspace_id, datetime.now(UTC)
    return _show(
        visit,
        kind="Person" if not done or done[0]["actor_type"] == "user" else done[0]["actor_type"],
        heading=name,
        identity=number,
        wanted=did,
        recent=done,
        others=("Done to them", to_them, address("/log", [("member", identity)])),
        log=address("/log", [("actor", identity)]),
        ways=ways_at(store, workspace, "member_id", number, now, MOST_WAYS),
        memberships=memberships_at(store, workspace, "member_id", number, now, MOST_WAYS),
        members=[],
        access_title="What they reach now",
    )


def _entity(visit: Visit, identity: str) -> Response:
    snapshot = visit.services.snapshots.read()
    about = _filter(visit, entity=[identity])
    done = _recent(visit, about, snapshot)
    with_group = _recent(visit, _filter(visit, group=[identity]), snapshot)
    if not done and not with_group:
        visit.record(0)
        raise RefusedError(404, "nothing of this id is in the log of the workspace")
    is_group = not done or done[0]["entity_type"] == _GROUP
    first = (done or with_group)[0]
    part = "entity" if done else "group"
    number, name = first[f"{part}_id"], first[f"{part}_name"]
    store, workspace, now = visit.services.store, visit.token.workspace_id, datetime.now(UTC)
    members = memberships_at(store, workspace, "group_id", number, now, MOST_WAYS)
    return _show(
        visit,
        kind=(done[0]["entity_type"] if done else _GROUP).replace("workspace_", "").capitalize(),
        heading=name or number,
        identity=number,
        wanted=about,
        recent=done,
        others=(
            "Given to it and taken from it",
            with_group,
            address("/log", [("group", identity)]),
        ),
        log=address("/log", [("entity", identity)]),
        ways=ways_at(
            store, workspace, "through" if is_group else "entity_id", number, now, MOST_WAYS
        ),
        memberships=[],
        members=members,
        access_title="Who reaches what through it now" if is_group else "Who reaches it now",
    )


def _show(
    visit: Visit,
    *,
    wanted: EventFilter,
    recent: list[dict[str, Any]],
    others: tuple[str, list[dict[str, Any]], str],
    ways: list[Any],
    memberships: list[Any],
    members: list[Any],
    **values: Any,
) -> Response:
    catalogue = visit.services.catalogue
    histogram = read_histogram(visit.services.store, wanted)
    title, more, link = others
    parts = [("Latest", recent, values["log"]), (title, more, link)]
    visit.record(len(recent) + len(more) + len(ways) + len(memberships) + len(members))
    return visit.page(
        "subject.html",
        with_day=True,
        chart=draw(histogram),
        total=histogram.events,
        timelines=[
            (name, [row_from(event, catalogue) for event in events], more_link)
            for name, events, more_link in parts
            if events
        ],
        counts=Counter(event["description"] for event in recent).most_common(6),
        picture=draw_access(ways),
        ways=ways,
        memberships=memberships,
        members=members,
        **values,
    )


def _filter(visit: Visit, **wanted: list[str]) -> EventFilter:
    return EventQuery.model_validate(wanted).event_filter(visit.token.workspace_id)


def _recent(visit: Visit, wanted: EventFilter, snapshot: Snapshot) -> list[dict[str, Any]]:
    page: Page = read_page(
        visit.services.store, _SHAPE, wanted, snapshot=snapshot, after=None, limit=_RECENT
    )
    return [json.loads(line) for line in page.lines]
