"""The pages of an actor and of an entity: what was done, how often, and the newest of it.

Who reaches what follows by a script, once the page is there: it is a page of its own.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Response
from starlette.concurrency import run_in_threadpool

from auditstream.api.explorer.addresses import address
from auditstream.api.explorer.chart import draw
from auditstream.api.explorer.rows import LOG_SHAPE, row_from
from auditstream.api.explorer.visit import Visit, visiting
from auditstream.errors import RefusedError
from auditstream.store.activity import Activity, read_activity
from auditstream.store.event_filter import EventFilter
from auditstream.store.read_events import Shape

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
    did, to_them = await _read(visit, id, titles)
    done = did.recent
    named = [
        (event[f"{part}_id"], event[f"{part}_username"])
        for event in (*done, *to_them.recent)
        for part in ("actor", "member")
    ]
    # A name leads to the id that the tables of access go by.
    number = next((key for key, name in named if key and id in (key, name)), id)
    name = next((name for key, name in named if key == number and name), number)
    kind = done[0]["actor_type"] if done else "user"
    return await run_in_threadpool(
        _page,
        visit,
        (did, to_them),
        kind="Person" if kind == "user" else kind.replace("_", " ").capitalize(),
        heading=name,
        identity=number,
        access=("What they reach now", address("/actor/access", [("id", number)])),
    )


@router.get("/entity")
async def show_entity(id: Identity, visit: Reader) -> Response:  # noqa: A002 - the parameter's name
    """Show what was done with a thing or group, and who reaches it, or through it, now."""
    titles = {"entity": "What was done with it", "group": "Given to it and taken from it"}
    about, with_group = await _read(visit, id, titles)
    part = "entity" if about.activity.recent else "group"
    newest = (about.recent or with_group.recent)[0]
    kind = newest["entity_type"] if about.activity.recent else _GROUP
    number, name = newest[f"{part}_id"], newest[f"{part}_name"]
    return await run_in_threadpool(
        _page,
        visit,
        (about, with_group),
        kind=kind.replace("workspace_", "").replace("_", " ").capitalize(),
        heading=name or number,
        identity=number,
        access=("Who reaches it now", address("/entity/access", [("id", number)])),
    )


async def _read(visit: Visit, value: str, titles: Mapping[str, str]) -> list[Part]:
    """Return the events that name a subject by its id, else by its name.

    Raises:
        RefusedError: 404, there are none.
    """
    for suffix in ("_id", ""):
        parts = await _parts(visit, value, titles, suffix)
        if any(part.activity.recent for part in parts):
            return parts
    await run_in_threadpool(visit.record, 0)
    raise RefusedError(404, "nothing and nobody of this id is in the log of the workspace")


async def _parts(visit: Visit, value: str, titles: Mapping[str, str], suffix: str) -> list[Part]:
    return await asyncio.gather(
        *(
            run_in_threadpool(_part, visit, name, title, value, f"{name}{suffix}")
            for name, title in titles.items()
        )
    )


def _part(visit: Visit, name: str, title: str, value: str, condition: str) -> Part:
    wanted = EventFilter(visit.token.workspace_id, wanted={condition: (value,)})
    return Part(title, name, value, read_activity(visit.services.store, wanted, _SHAPE, _RECENT))


def _page(visit: Visit, parts: Sequence[Part], **values: Any) -> Response:
    catalogue = visit.services.catalogue
    told = [part for part in parts if part.activity.recent]
    seen = [action for part in told for action in part.activity.actions]
    visit.record(sum(len(part.activity.recent) for part in told))
    return visit.page(
        "subject.html",
        with_day=True,
        chart=draw(told[0].activity.histogram),
        chart_title=told[0].title,
        parts=[(part, [row_from(event, catalogue) for event in part.recent]) for part in told],
        described={name: action.description for name, action in catalogue.actions.items()},
        first=min(action.first for action in seen),
        last=max(action.last for action in seen),
        **values,
    )
