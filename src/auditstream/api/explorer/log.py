"""The log: sentences, the newest first, with filters, a histogram, and what arrives meanwhile."""

from __future__ import annotations

import asyncio
from datetime import UTC
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from auditstream.api.cursors import MAX_CURSOR, Place
from auditstream.api.event_query import EventQuery
from auditstream.api.explorer.addresses import address
from auditstream.api.explorer.chart import draw, stamp
from auditstream.api.explorer.presets import presets
from auditstream.api.explorer.queries import read_query
from auditstream.api.explorer.rows import LOG_SHAPE, row_of
from auditstream.api.explorer.visit import Visit, visiting
from auditstream.api.stream import PURPOSE as STREAM
from auditstream.store.event_filter import EventFilter
from auditstream.store.histogram import Histogram, read_histogram
from auditstream.store.read_events import Page
from auditstream.store.read_near import read_near

PAGE_EVENTS: Final = 50
_PURPOSE: Final = "explorer log"
_LEVELS: Final = ("informational", "low", "medium", "high", "critical")
_SHOWN: Final = frozenset(
    {"since", "until", "category", "action", "severity", "actor", "entity", "ip", "text"}
)
"""Filters with a field in the form; others, as of a link, are kept beside it."""

router = APIRouter()


class LogQuery(EventQuery):
    """Which events are wanted, and where on the way through them the page begins."""

    cursor: str | None = Field(None, max_length=MAX_CURSOR)


@router.get("/log")
async def show_log(
    request: Request, visit: Annotated[Visit, Depends(visiting("read"))]
) -> Response:
    """Show a page of events; pages show what was stored when the first was asked for."""
    query = read_query(LogQuery, request)
    wanted = query.event_filter(visit.token.workspace_id)
    place = await run_in_threadpool(_place, visit, query, wanted)
    # Each in its own thread. The picture is of what is stored now: confining it to the snapshot
    # takes as long again.
    found, histogram = await asyncio.gather(
        run_in_threadpool(_events, visit, wanted, place),
        run_in_threadpool(read_histogram, visit.services.store, wanted),
    )
    await run_in_threadpool(visit.record, len(found.lines))
    return await run_in_threadpool(_page, visit, query, wanted, place, found, histogram)


def filters_in(query: EventQuery) -> list[tuple[str, str]]:
    """Return the filters of a query as they stand in a URL, without defaults."""
    found: list[tuple[str, str]] = []
    for name in EventQuery.model_fields:
        value = getattr(query, name)
        if not value or value == EventQuery.model_fields[name].default:
            continue
        found += [(name, item) for item in ([value] if isinstance(value, str) else value)]
    return found


def _place(visit: Visit, query: LogQuery, wanted: EventFilter) -> Place:
    services = visit.services
    if query.cursor is None:
        return Place(services.snapshots.read())
    return services.cursors.open("cursor", _PURPOSE, wanted, query.cursor)


def _events(visit: Visit, wanted: EventFilter, place: Place) -> Page:
    return read_near(
        visit.services.store,
        visit.services.paces,
        LOG_SHAPE,
        wanted,
        snapshot=place.snapshot,
        after=place.after,
        limit=PAGE_EVENTS,
    )


def _page(
    visit: Visit,
    query: LogQuery,
    wanted: EventFilter,
    place: Place,
    found: Page,
    histogram: Histogram,
) -> Response:
    catalogue = visit.services.catalogue
    filters = filters_in(query)
    return visit.page(
        "log.html",
        rows=[row_of(line, catalogue) for line in found.lines],
        chart=draw(histogram),
        total=histogram.events,
        older=_older(visit, wanted, place, found, filters),
        newest=address("/log", filters),
        first=query.cursor is None,
        live=query.cursor is None and query.until is None and query.time == "occurrence",
        stream=address("/log/stream", filters),
        # What is stored between this page and its stream is not lost.
        seen=visit.services.cursors.seal(STREAM, wanted, Place(place.snapshot)),
        exports=[
            (title, address("/log/export", [*filters, ("format", form)]))
            for form, title in _EXPORTS.items()
        ],
        presets=[
            (preset.title, _asking(filters, preset.filters), _asks(filters, preset.filters))
            for preset in presets(catalogue)
        ],
        fields=_fields(query, wanted),
        hidden=[pair for pair in filters if pair[0] not in _SHOWN],
        filtered=bool(filters),
        zoom=lambda since, until: address(
            "/log", [*_without(filters, "since", "until"), ("since", since), ("until", until)]
        ),
        narrow=lambda name, value: address("/log", [*_without(filters, name), (name, value)]),
        categories=catalogue.categories.values(),
        actions=catalogue.actions.values(),
        levels=_LEVELS,
    )


_EXPORTS: Final = {
    "csv": "CSV",
    "jsonl": "JSON lines",
    "parquet": "Parquet",
    "arrow": "Arrow",
    "ocsf": "OCSF",
    "ecs": "ECS",
}


def _older(
    visit: Visit, wanted: EventFilter, place: Place, found: Page, filters: list[tuple[str, str]]
) -> str | None:
    if not found.more:
        return None
    following = Place(place.snapshot, found.last)
    cursor = visit.services.cursors.seal(_PURPOSE, wanted, following)
    return address("/log", [*filters, ("cursor", cursor)])


def _without(filters: list[tuple[str, str]], *names: str) -> list[tuple[str, str]]:
    return [pair for pair in filters if pair[0] not in names]


def _asking(filters: list[tuple[str, str]], asked: tuple[tuple[str, str], ...]) -> str:
    return address("/log", [*_without(filters, "action", "category"), *asked])


def _asks(filters: list[tuple[str, str]], asked: tuple[tuple[str, str], ...]) -> bool:
    return {pair for pair in filters if pair[0] in ("action", "category")} == set(asked)


def _fields(query: LogQuery, wanted: EventFilter) -> dict[str, Any]:
    """Return what the fields of the form hold."""
    return {
        "since": wanted.since and stamp(wanted.since.astimezone(UTC)),
        "until": wanted.until and stamp(wanted.until.astimezone(UTC)),
        "severity": query.severity,
        "category": query.category,
        "action": query.action,
        **{name: (getattr(query, name) or [""])[0] for name in ("actor", "entity", "ip", "text")},
    }
