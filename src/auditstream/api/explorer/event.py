"""An event: what it says, before and after, every field, where it comes from, its neighbours."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from starlette.concurrency import run_in_threadpool

from auditstream.api.explorer.rows import Row, row_from
from auditstream.api.explorer.visit import Visit, visiting
from auditstream.errors import RefusedError
from auditstream.store.comments import read_comments
from auditstream.store.evidence import alerts_naming
from auditstream.store.neighbours import read_neighbourhood

_GROUPS: Final = (
    ("What happened", ("action", "category", "description", "severity", "outcome", "occurred_at")),
    ("Who", ("actor_", "user_agent_", "ip_class", "country", "network")),
    ("To what", ("entity_", "member_", "group_", "role", "previous_role", "changes", "metadata")),
    ("Operation", ("correlation_id", "causation_id", "request_id")),
    ("Source", ("source_", "delay_seconds", "is_late", "ingested_at")),
    ("Evidence", ("event_id", "kafka_", "ocsf_")),
)
_MOST_HELP: Final = 120
_HEADS: Final = tuple(title for title, _ in _GROUPS)

router = APIRouter()


@dataclass(frozen=True)
class Field:
    """A field of the event with what it means; `value` is text."""

    name: str
    value: str
    help: str


@router.get("/events/{event_id}")
async def show_event(
    event_id: UUID, visit: Annotated[Visit, Depends(visiting("read"))]
) -> Response:
    """Show an event of the workspace."""
    return await run_in_threadpool(_page, visit, event_id)


def _page(visit: Visit, event_id: UUID) -> Response:
    services = visit.services
    found = read_neighbourhood(services.store, visit.token.workspace_id, event_id)
    if found is None:
        visit.record(0)
        raise RefusedError(404, "the workspace has no such event")
    comments = read_comments(services.store, "events")
    parts = (found.causes, found.correlated, found.effects)
    alerts = (
        alerts_naming(services.store, visit.token.workspace_id, event_id)
        if visit.may("alerts")
        else []
    )
    visit.record(1 + sum(map(len, parts)) + len(alerts))

    def rows(events: tuple[dict[str, Any], ...]) -> list[Row]:
        return [row_from(event, services.catalogue) for event in events]

    titles = ("Caused by", "Same operation", "Caused")
    return visit.page(
        "event.html",
        with_day=True,
        row=row_from(found.event, services.catalogue),
        event=found.event,
        groups=_grouped(found.event, comments),
        alerts=alerts,
        neighbours=[(title, rows(part)) for title, part in zip(titles, parts, strict=True) if part],
        envelope=json.dumps(found.event, ensure_ascii=False, indent=2),
    )


def _grouped(
    event: Mapping[str, Any], comments: Mapping[str, str]
) -> list[tuple[str, list[Field]]]:
    grouped: dict[str, list[Field]] = {title: [] for title in _HEADS}
    for name, value in event.items():
        if value is None or value in ("", []):
            continue
        grouped[_head_of(name)].append(Field(name, _text(value), _brief(comments.get(name, ""))))
    return [(title, part) for title, part in grouped.items() if part]


def _brief(comment: str) -> str:
    # Some comments go on to list all that the catalogue holds.
    head, colon, _ = comment.partition(": ")
    return f"{head}." if colon and len(comment) > _MOST_HELP else comment


def _head_of(name: str) -> str:
    for title, names in _GROUPS:
        if any(name == known or (known[-1] == "_" and name.startswith(known)) for known in names):
            return title
    return "To what" if "role" in name else "What happened"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
