"""The pages of an actor and of an entity: what was done, how often, and who reaches what now."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Query, Response
from starlette.concurrency import run_in_threadpool

from auditstream.api.event_query import EventQuery
from auditstream.api.explorer.addresses import address
from auditstream.api.explorer.chart import draw
from auditstream.api.explorer.picture import draw_access
from auditstream.api.explorer.rows import LOG_SHAPE, row_from
from auditstream.api.explorer.visit import Visit, visiting
from auditstream.errors import RefusedError
from auditstream.store.access import About, Membership, Way, memberships_at, ways_at
from auditstream.store.event_filter import EventFilter
from auditstream.store.histogram import Histogram, read_histogram
from auditstream.store.read_events import Shape, read_page
from auditstream.store.seen import Seen, actions_seen
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


@dataclass(frozen=True)
class Part:
    """Events that name the subject in one place: the newest, and how often each action is there."""

    title: str
    name: str
    value: str
    wanted: EventFilter
    recent: tuple[dict[str, Any], ...]
    seen: tuple[Seen, ...]

    @property
    def events(self) -> int:
        """How many events there are."""
        return sum(seen.events for seen in self.seen)

    def log(self, *more: tuple[str, str]) -> str:
        """Return where the log has them, or some of them."""
        return address("/log", [(self.name, self.value), *more])


@router.get("/actor")
async def show_actor(id: Identity, visit: Reader) -> Response:  # noqa: A002 - the parameter's name
    """Show what somebody did, what was done to them, and what they reach now."""
    did, to_them = await _parts(
        visit, id, ("What they did", "actor"), ("What was done to them", "member")
    )
    events = (*did.recent, *to_them.recent)
    # A name leads to the id that the tables of access go by.
    named = [
        (event[f"{part}_id"], event[f"{part}_username"])
        for event in events
        for part in ("actor", "member")
    ]
    number = next((key for key, name in named if key and id in (key, name)), id)
    name = next((name for key, name in named if key == number and name), number)
    kind = did.recent[0]["actor_type"] if did.recent else "user"
    reach = await _reach(visit, ("member_id", number), "member_id", (did, to_them))
    return await run_in_threadpool(
        _page,
        visit,
        (did, to_them),
        *reach,
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
    about, with_group = await _parts(
        visit, id, ("What was done with it", "entity"), ("Given to it and taken from it", "group")
    )
    part, first = ("entity", about) if about.recent else ("group", with_group)
    newest = first.recent[0]
    kind = newest["entity_type"] if about.recent else _GROUP
    number, name = newest[f"{part}_id"], newest[f"{part}_name"]
    is_group = kind == _GROUP
    column: About = "through" if is_group else "entity_id"
    reach = await _reach(visit, (column, number), "group_id", (about, with_group))
    return await run_in_threadpool(
        _page,
        visit,
        (about, with_group),
        *reach,
        kind=kind.replace("workspace_", "").replace("_", " ").capitalize(),
        heading=name or number,
        identity=number,
        joined_title="Members",
        access_title="Who reaches what through it now" if is_group else "Who reaches it now",
    )


async def _parts(visit: Visit, value: str, *named: tuple[str, str]) -> list[Part]:
    """Return the events that name a subject, by the filters that find them.

    Raises:
        RefusedError: 404, there are none.
    """
    snapshot = await run_in_threadpool(visit.services.snapshots.read)
    parts = await asyncio.gather(
        *(run_in_threadpool(_part, visit, snapshot, title, name, value) for title, name in named)
    )
    if not any(part.recent for part in parts):
        await run_in_threadpool(visit.record, 0)
        raise RefusedError(404, "nothing and nobody of this id is in the log of the workspace")
    return parts


def _part(visit: Visit, snapshot: Snapshot, title: str, name: str, value: str) -> Part:
    store = visit.services.store
    wanted = EventQuery.model_validate({name: [value]}).event_filter(visit.token.workspace_id)
    page = read_page(store, _SHAPE, wanted, snapshot=snapshot, after=None, limit=_RECENT)
    recent = tuple(json.loads(line) for line in page.lines)
    seen = tuple(actions_seen(store, wanted)) if recent else ()
    return Part(title, name, value, wanted, recent, seen)


async def _reach(
    visit: Visit,
    about: tuple[About, str],
    belongs: Literal["group_id", "member_id"],
    parts: Sequence[Part],
) -> tuple[list[Way], list[Membership], Histogram]:
    """Return the ways about a value, the memberships of it, and when its events were."""
    store, workspace, now = visit.services.store, visit.token.workspace_id, datetime.now(UTC)
    column, value = about
    timed = next(part for part in parts if part.recent)
    return await asyncio.gather(
        run_in_threadpool(ways_at, store, workspace, column, value, now, MOST_WAYS),
        run_in_threadpool(memberships_at, store, workspace, belongs, value, now, MOST_WAYS),
        run_in_threadpool(read_histogram, store, timed.wanted),
    )


def _page(
    visit: Visit,
    parts: Sequence[Part],
    ways: list[Way],
    joined: list[Membership],
    histogram: Histogram,
    *,
    reader: tuple[str, str] | None = None,
    **values: Any,
) -> Response:
    catalogue = visit.services.catalogue
    told = [part for part in parts if part.recent]
    seen = [action for part in told for action in part.seen]
    visit.record(sum(len(part.recent) for part in told) + len(ways) + len(joined))
    return visit.page(
        "subject.html",
        with_day=True,
        chart=draw(histogram),
        chart_title=told[0].title,
        parts=[(part, [row_from(event, catalogue) for event in part.recent]) for part in told],
        first=min(action.first for action in seen),
        last=max(action.last for action in seen),
        picture=draw_access(ways, reader),
        ways=ways,
        joined=joined,
        **values,
    )
