"""The pages of an actor and of an entity: what was done, how often, and who reaches what now."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Response
from starlette.concurrency import run_in_threadpool

from auditstream.api.explorer.addresses import address
from auditstream.api.explorer.chart import draw
from auditstream.api.explorer.picture import draw_access
from auditstream.api.explorer.rows import LOG_SHAPE, row_from
from auditstream.api.explorer.visit import Visit, visiting
from auditstream.errors import RefusedError
from auditstream.store.access import About, Reach, read_reach
from auditstream.store.activity import Activity, read_activity
from auditstream.store.event_filter import EventFilter
from auditstream.store.read_events import Shape

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


@dataclass(frozen=True)
class Part:
    """Events that name the subject in one place, which the log finds by the filter `name`."""

    title: str
    name: str
    value: str
    activity: Activity

    @property
    def recent(self) -> list[dict[str, Any]]:
        """The newest events."""
        return [json.loads(line) for line in self.activity.recent]

    def log(self, *more: tuple[str, str]) -> str:
        """Return where the log has them, or some of them."""
        return address("/log", [(self.name, self.value), *more])


@router.get("/actor")
async def show_actor(id: Identity, visit: Reader) -> Response:  # noqa: A002 - the parameter's name
    """Show what somebody did, what was done to them, and what they reach now."""
    titles = {"actor": "What they did", "member": "What was done to them"}
    (did, to_them), reach = await _read(visit, id, titles, "member")
    done = did.recent
    named = [
        (event[f"{part}_id"], event[f"{part}_username"])
        for event in (*done, *to_them.recent)
        for part in ("actor", "member")
    ]
    # A name leads to the id that the tables of access go by.
    number = next((key for key, name in named if key and id in (key, name)), id)
    if number != id:
        reach = await _reach(visit, "member", number)
    name = next((name for key, name in named if key == number and name), number)
    kind = done[0]["actor_type"] if done else "user"
    return await run_in_threadpool(
        _page,
        visit,
        (did, to_them),
        reach,
        reader=(number, name),
        kind="Person" if kind == "user" else kind.replace("_", " ").capitalize(),
        heading=name,
        identity=number,
        joined_title="Groups",
        access_title="What they reach now",
    )


@router.get("/entity")
async def show_entity(id: Identity, visit: Reader) -> Response:  # noqa: A002 - the parameter's name
    """Show what was done with a thing or group, and who reaches it, or through it, now."""
    titles = {"entity": "What was done with it", "group": "Given to it and taken from it"}
    (about, with_group), reach = await _read(visit, id, titles, "entity")
    part = "entity" if about.activity.recent else "group"
    newest = (about.recent or with_group.recent)[0]
    kind = newest["entity_type"] if about.activity.recent else _GROUP
    number, name = newest[f"{part}_id"], newest[f"{part}_name"]
    if number != id:
        reach = await _reach(visit, "entity", number)
    return await run_in_threadpool(
        _page,
        visit,
        (about, with_group),
        reach,
        kind=kind.replace("workspace_", "").replace("_", " ").capitalize(),
        heading=name or number,
        identity=number,
        joined_title="Members",
        access_title="Who reaches what through it now" if kind == _GROUP else "Who reaches it now",
    )


async def _read(
    visit: Visit, value: str, titles: Mapping[str, str], about: About
) -> tuple[list[Part], Reach]:
    """Return the events that name a subject by its id, else by its name, and its reach by the id.

    Raises:
        RefusedError: 404, there are none.
    """
    reading = asyncio.create_task(_reach(visit, about, value))
    parts = await asyncio.gather(
        *(run_in_threadpool(_part, visit, *item, value, f"{item[0]}_id") for item in titles.items())
    )
    reach = await reading
    if not any(part.activity.recent for part in parts):
        parts = await asyncio.gather(
            *(run_in_threadpool(_part, visit, *item, value, item[0]) for item in titles.items())
        )
    if not any(part.activity.recent for part in parts):
        await run_in_threadpool(visit.record, 0)
        raise RefusedError(404, "nothing and nobody of this id is in the log of the workspace")
    return parts, reach


def _part(visit: Visit, name: str, title: str, value: str, condition: str) -> Part:
    wanted = EventFilter(visit.token.workspace_id, wanted={condition: (value,)})
    return Part(title, name, value, read_activity(visit.services.store, wanted, _SHAPE, _RECENT))


async def _reach(visit: Visit, about: About, value: str) -> Reach:
    store, workspace, now = visit.services.store, visit.token.workspace_id, datetime.now(UTC)
    return await run_in_threadpool(read_reach, store, workspace, about, value, now, MOST_WAYS)


def _page(
    visit: Visit,
    parts: Sequence[Part],
    reach: Reach,
    *,
    reader: tuple[str, str] | None = None,
    **values: Any,
) -> Response:
    catalogue = visit.services.catalogue
    told = [part for part in parts if part.activity.recent]
    seen = [action for part in told for action in part.activity.actions]
    shown = sum(len(part.activity.recent) for part in told)
    visit.record(shown + len(reach.ways) + len(reach.memberships))
    return visit.page(
        "subject.html",
        with_day=True,
        chart=draw(told[0].activity.histogram),
        chart_title=told[0].title,
        parts=[(part, [row_from(event, catalogue) for event in part.recent]) for part in told],
        described={name: action.description for name, action in catalogue.actions.items()},
        first=min(action.first for action in seen),
        last=max(action.last for action in seen),
        picture=draw_access(reach.ways, reader),
        ways=reach.ways,
        joined=reach.memberships,
        **values,
    )
