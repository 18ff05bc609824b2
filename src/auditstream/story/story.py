"""The whole story: as many workspaces as it takes, split among the services that publish it."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from auditstream.contract.catalogue import Catalogue, shipped_catalogue
from auditstream.story.chronicle import CONFLICTS, REPEATS, Chronicle, Entry
from auditstream.story.incidents import INCIDENTS
from auditstream.story.malformed import KINDS, Malformed, malformed

EVENTS_OF_A_WORKSPACE: Final = 1_000
EVENTFUL_EVERY: Final = 10
SMALLEST: Final = 300
SERVICES: Final[dict[str, tuple[str, ...]]] = {
    "identity": ("user_membership", "user_groups"),
    "collections": ("workspace_collections",),
    "connections": ("workspace_connections",),
    "audit-api": ("audit_logs_access",),
}
"""The services of the story and the categories each publishes; the last also publishes any other
category, so that everything about one entity comes from one service, in order."""
IMPORTER: Final = "legacy-importer"
"""The program that sends what no SDK would let pass."""


@dataclass(frozen=True)
class Expected:
    """What becomes of a story once all is stored: counts; of alerts, those of a high level."""

    published: int
    stored: int
    rejected: int
    duplicates: int
    alerts: int


@dataclass(frozen=True)
class Story:
    """A story of `events` records in all that ends just before `now`, an aware datetime.

    There is a workspace for every 1,000 records. The first of every ten is eventful: it has the
    incidents, some repeated events, one event id used twice, and one record of each kind of damage.
    The same arguments give the same story, whichever part of it is read.

    Raises ValueError for fewer than 300 events, too few for every action to happen.
    """

    seed: int
    events: int
    now: datetime
    catalogue: Catalogue = field(default_factory=shipped_catalogue)

    def __post_init__(self) -> None:
        if self.events < SMALLEST:
            raise ValueError(f"a story needs at least {SMALLEST} events, not {self.events}")

    @property
    def workspaces(self) -> int:
        """Number of workspaces."""
        return max(1, round(self.events / EVENTS_OF_A_WORKSPACE))

    def expected(self) -> Expected:
        """Return what is to become of the story."""
        times = len(self._eventful())
        rejected, repeats = times * (len(KINDS) + CONFLICTS), times * REPEATS
        return Expected(
            published=self.events,
            stored=self.events - rejected - repeats,
            rejected=rejected,
            duplicates=repeats,
            alerts=times * len(INCIDENTS),
        )

    def entries(self) -> Iterator[Entry]:
        """Yield what services publish through the SDK, in the order of time.

        Made as it is read: a million take about half a minute and 200 MB.
        """
        return heapq.merge(*self._chronicles(), key=lambda entry: entry.at)

    def script(self, service: str) -> Iterator[Entry]:
        """Yield what one of `SERVICES` publishes, in the order of time."""
        others = {category for name in SERVICES if name != service for category in SERVICES[name]}
        rest = service == list(SERVICES)[-1]
        for entry in self.entries():
            if entry.category in SERVICES[service] or (rest and entry.category not in others):
                yield entry

    def malformed(self) -> Iterator[Malformed]:
        """Yield the damaged records, as `IMPORTER` sends them."""
        for number in self._eventful():
            yield from malformed(self.seed, number, self.now)

    def _eventful(self) -> range:
        return range(0, self.workspaces, EVENTFUL_EVERY)

    def _chronicles(self) -> list[Chronicle]:
        eventful = self._eventful()
        extra = len(eventful) * (len(KINDS) + CONFLICTS + REPEATS)
        share, rest = divmod(self.events - extra, self.workspaces)
        return [
            Chronicle(
                self.seed,
                number,
                share + (number < rest),
                self.now,
                self.catalogue,
                eventful=number in eventful,
            )
            for number in range(self.workspaces)
        ]
