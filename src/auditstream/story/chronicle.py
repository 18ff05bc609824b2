"""The story of one workspace, told event by event."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Final

from auditstream.contract.catalogue import Catalogue
from auditstream.story.clock import moments
from auditstream.story.deck import Deck, shares
from auditstream.story.dice import dice
from auditstream.story.draft import NOBODY, Draft, Focus
from auditstream.story.incidents import INCIDENTS, Incident
from auditstream.story.narrator import DENIED, Datum, Narrator, Operation
from auditstream.story.people import Directory, Group
from auditstream.story.steps import STEPS, any_step, read_audit_log

REPEATS: Final = 5
CONFLICTS: Final = 1
ECHO_AFTER: Final = 20
OPERATION: Final = 0.4
FOLLOW_UPS: Final[dict[str, tuple[str, ...]]] = {
    "org_user_invited": ("group_member_added", "collection_member_added"),
    "group_created": ("group_member_added",) * 3,
    "collection_created": ("collection_group_added", "collection_member_added"),
    "connection_created": ("connection_group_added_with_role", "connection_member_added_with_role"),
}
"""What may follow at once, in one operation."""
NIGHT: Final = time(2, 13, 41)
LATE: Final = 0.9
ALWAYS_POSSIBLE: Final = "audit_log_accessed"


@dataclass(frozen=True, slots=True)
class Entry:
    """An event that is published at `at`; `again` marks an id that was published before."""

    at: datetime
    category: str
    datum: Datum
    again: bool = False


class Chronicle:
    """The workspace of that number, in `events` events; the same for the same arguments.

    An eventful one has the incidents among them, and `REPEATS` repeats and `CONFLICTS` conflicts
    on top. Iterate over it once.
    """

    def __init__(
        self,
        seed: int,
        number: int,
        events: int,
        now: datetime,
        catalogue: Catalogue,
        *,
        eventful: bool,
    ) -> None:
        self._rng = rng = dice(seed, number)
        self._here = Directory(rng, number)
        self._narrator = Narrator(rng, self._here)
        self._catalogue = catalogue
        self._steps = {a.name: STEPS.get(a.name) or any_step(a) for a in catalogue.actions.values()}
        self._moments = moments(rng, events, now)
        self._at = self._moments[0]
        self._deck = Deck(rng, shares(catalogue, events))
        self._drawn = iter(self._deck)
        self._postponed: deque[str] = deque()
        self._told = 0
        self._succeeded: Counter[str] = Counter()
        self._eventful = eventful
        self._incidents = [
            incident for incident in INCIDENTS if eventful and self._deck.take(incident.action)
        ]

    def __iter__(self) -> Iterator[Entry]:
        echoes = self._echoes() if self._eventful else {}
        due: list[tuple[int, Entry]] = []
        for index, entry in enumerate(self._entries()):
            yield entry
            for echo in [item for item in due if item[0] <= index]:
                due.remove(echo)
                yield replace(echo[1], at=entry.at)
            if index in echoes:
                after, payload = echoes[index]
                datum = entry.datum | payload
                due.append((index + after, replace(entry, datum=datum, again=True)))
        for _, entry in due:
            yield replace(entry, at=self._at)

    def _echoes(self) -> dict[int, tuple[int, Datum]]:
        """Return which events are told again, how many events later, and what differs."""
        indices = range(len(self._moments) // 4, len(self._moments) * 9 // 10)
        chosen = self._rng.sample(indices, REPEATS + CONFLICTS)
        other = {"metadata": [{"key": "reason", "value": "changed on the way"}]}
        return {
            index: (self._rng.randint(1, ECHO_AFTER), other if place < CONFLICTS else {})
            for place, index in enumerate(chosen)
        }

    def _entries(self) -> Iterator[Entry]:
        while self._told < len(self._moments):
            self._here.settle()
            at = max(self._moments[self._told], self._soon())
            incident = self._incident(at)
            if incident is not None:
                yield incident
            else:
                yield from self._operation(at)

    def _incident(self, at: datetime) -> Entry | None:
        """Tell an incident whose time has come, if one is possible."""
        progress = self._told / len(self._moments)
        for incident in self._incidents:
            if progress < incident.progress:
                return None
            draft = self._steps[incident.action](self._here, self._rng, Focus(role=incident.role))
            if draft is None:
                continue
            said = incident.previous_role or (progress >= LATE and not draft.in_history)
            moment = self._night_before(at) if incident.night and progress < LATE else at
            if moment is None or not (said or draft.in_history):
                continue
            self._incidents.remove(incident)
            return self._happen_at(incident, draft, moment, said)
        return None

    def _happen_at(self, incident: Incident, draft: Draft, at: datetime, said: bool) -> Entry:
        action = self._catalogue[incident.action]
        if incident.night:
            actor = self._narrator.intruder(draft, at)
        else:
            actor = self._narrator.actor(action, draft, at)
        datum = self._narrator.tell(action, draft, at, Operation(actor), previous_role=said)
        return self._happened(draft, at, datum)

    def _night_before(self, at: datetime) -> datetime | None:
        night = datetime.combine(at.date(), NIGHT, at.tzinfo)
        return night if self._at < night < at else None

    def _operation(self, at: datetime) -> Iterator[Entry]:
        """Tell what happens next, and sometimes what the same actor does right after it."""
        name, draft = self._next()
        action = self._catalogue[name]
        if self._succeeded[name] > 1 and self._rng.random() < DENIED:
            operation = Operation(self._narrator.outsider(at))
            datum = self._narrator.tell(action, draft, at, operation, denied=True)
            yield self._happened(None, at, datum)
            return
        more = FOLLOW_UPS.get(name, ()) if self._rng.random() < OPERATION else ()
        actor = self._narrator.actor(action, draft, at)
        operation = Operation(actor, self._narrator.correlation_id() if more else None)
        first = self._happened(draft, at, self._narrator.tell(action, draft, at, operation))
        yield first
        operation = replace(operation, causation_id=first.datum["event_id"])
        for follow_up in more:
            following = self._steps[follow_up](self._here, self._rng, _focus(draft))
            if following and self._told < len(self._moments) and self._deck.take(follow_up):
                at = self._soon()
                datum = self._narrator.tell(self._catalogue[follow_up], following, at, operation)
                yield self._happened(following, at, datum)

    def _next(self) -> tuple[str, Draft]:
        """Return what happens next: a card that was impossible before, or the next one."""
        for _ in range(len(self._postponed)):
            name = self._postponed.popleft()
            if draft := self._steps[name](self._here, self._rng, NOBODY):
                return name, draft
            self._postponed.append(name)
        for name in self._drawn:
            if draft := self._steps[name](self._here, self._rng, NOBODY):
                return name, draft
            self._postponed.append(name)
        return ALWAYS_POSSIBLE, read_audit_log(self._here, self._rng, NOBODY)

    def _happened(self, draft: Draft | None, at: datetime, datum: Datum) -> Entry:
        if draft is not None:
            draft.apply()
            self._succeeded[datum["action"]] += 1
        self._at = at
        self._told += 1
        return Entry(at, self._catalogue[datum["action"]].category, datum)

    def _soon(self) -> datetime:
        return self._at + timedelta(seconds=self._rng.uniform(0.2, 3.0))


def _focus(draft: Draft) -> Focus:
    if isinstance(draft.entity, Group):
        return Focus(group=draft.entity)
    return Focus(person=draft.member, asset=draft.entity)
