"""Who reaches what now, of a person, a thing or a group: a picture and a table.

A page of its own, which the page of the person or thing takes over by a script: it takes longer
than what was done, the more so the larger the log.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Response
from starlette.concurrency import run_in_threadpool

from auditstream.api.explorer.picture import draw_access
from auditstream.api.explorer.visit import Visit, visiting
from auditstream.store.access import About, Reach, read_reach
from auditstream.store.event_filter import EventFilter
from auditstream.store.read_events import EVENT_SHAPE, read_page

MOST_WAYS: Final = 500

router = APIRouter()
Reader = Annotated[Visit, Depends(visiting("read"))]
Identity = Annotated[str, Query(min_length=1, max_length=256)]


@router.get("/actor/access")
async def show_of_actor(id: Identity, visit: Reader) -> Response:  # noqa: A002 - the parameter's name
    """Show what somebody reaches, directly, through groups, and as everyone."""
    return await run_in_threadpool(_of_member, visit, id)


@router.get("/entity/access")
async def show_of_entity(id: Identity, visit: Reader) -> Response:  # noqa: A002 - the parameter's name
    """Show who reaches a thing, or who reaches what through a group."""
    return await run_in_threadpool(_of_entity, visit, id)


def _of_member(visit: Visit, number: str) -> Response:
    reach = _read(visit, "member", number)
    named = [way.member_username for way in reach.ways if way.member_id == number]
    named += [item.member_username for item in reach.memberships]
    name = next(filter(None, named), None) or _name(visit, number)
    return _page(
        visit,
        reach,
        reader=(number, name),
        heading=name,
        back="/actor",
        identity=number,
        access_title="What they reach now",
        joined_title="Groups",
    )


def _of_entity(visit: Visit, number: str) -> Response:
    reach = _read(visit, "entity", number)
    through = bool(reach.memberships) or any(way.through == number for way in reach.ways)
    named = [item.group_name for item in reach.memberships]
    named += [way.through_name if through else way.entity_name for way in reach.ways]
    return _page(
        visit,
        reach,
        heading=next(filter(None, named), number),
        back="/entity",
        identity=number,
        access_title="Who reaches what through it now" if through else "Who reaches it now",
        joined_title="Members",
    )


def _read(visit: Visit, about: About, number: str) -> Reach:
    store, workspace, now = visit.services.store, visit.token.workspace_id, datetime.now(UTC)
    reach = read_reach(store, workspace, about, number, now, MOST_WAYS)
    visit.record(len(reach.ways) + len(reach.memberships))
    return reach


def _name(visit: Visit, number: str) -> str:
    """Return the name of somebody who has nothing of their own, their id where none is known."""
    for part in ("actor", "member"):
        wanted = EventFilter(visit.token.workspace_id, wanted={f"{part}_id": (number,)})
        page = read_page(
            visit.services.store, EVENT_SHAPE, wanted, snapshot=None, after=None, limit=1
        )
        for line in page.lines:
            name: str | None = json.loads(line)[f"{part}_username"]
            if name:
                return name
    return number


def _page(
    visit: Visit, reach: Reach, *, reader: tuple[str, str] | None = None, **values: str
) -> Response:
    return visit.page(
        "access.html",
        picture=draw_access(reach.ways, reader),
        ways=reach.ways,
        joined=reach.memberships,
        **values,
    )
