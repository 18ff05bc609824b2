"""Evaluate the rules over several events that are judged by the clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from auditstream.rules.correlation.compile import Compiler
from auditstream.rules.correlation.engine import waits
from auditstream.rules.correlation.link import Linked
from auditstream.rules.correlation.match import Match
from auditstream.rules.correlation.refusals import Refusals
from auditstream.rules.correlation.scope import EPOCH, Scope, length, microseconds
from auditstream.rules.correlation.search import Ask, Question, search

SETTLE: Final = timedelta(seconds=60)
CATCH_UP: Final = timedelta(hours=1)


class ScheduledRules:
    """Rules whose hits are moments at which something has not happened, or may yet be undone.

    These are `absence` and `silence`, and correlations that further events can undo: with an upper
    bound, or a `not`. A hit is judged `settle` after its moment, so that events of that moment have
    arrived. The first call looks at the hits of the last `catch_up`, each later one at those since
    the call before, but none before `since`: no state need survive a restart, and none is missed
    that is not longer than `catch_up`. Rules of `silent` are left out. A rule that the store
    refuses stands in `refusals` and is asked for the same hits again, no further back than
    `catch_up`. One thread at a time.
    """

    def __init__(
        self,
        linked: Linked,
        predicates: Mapping[str, str],
        ask: Ask,
        database: str,
        since: datetime = EPOCH,
        settle: timedelta = SETTLE,
        catch_up: timedelta = CATCH_UP,
        refusals: Refusals | None = None,
        silent: frozenset[str] = frozenset(),
    ) -> None:
        self._compiler = Compiler(linked, predicates)
        self._rules = tuple(
            rule
            for name, rule in linked.rules.items()
            if name not in silent and waits(rule, linked)
        )
        self._ask = ask
        self._database = database
        self._since = since
        self._settle = settle
        self._catch_up = catch_up
        self._refusals = refusals or Refusals()
        self._judged: dict[str, datetime] = {}

    def due(self, now: datetime) -> list[Match]:
        """Return the matches that have settled since the call before.

        `now` is the time up to which the table is complete: that of the wall clock, or an earlier
        one while the worker lags, else what is only on its way is taken for absent. Sends one
        query, and two more for each 500 matches; as many for each rule when these are refused.
        Blocks, and raises what `ask` raises besides StoreError; the same hits are then looked at
        again by the next call.
        """
        until = now - self._settle
        earliest = until - self._catch_up
        questions = []
        for rule in self._rules:
            since = max(self._judged.get(rule.header.name, earliest), self._since)
            if until <= since:
                continue
            # After what was judged before, up to and with `until`.
            hits = (microseconds(since) + 1, microseconds(until))
            reach = length(self._compiler.reach(rule))
            read = ((hits[0] - reach, hits[1]),)
            questions.append(Question(rule, Scope(self._database, hits, read)))
        matches = self._refusals.matches(self._search, questions)
        refused = self._refusals.reasons
        for question in questions:
            name = question.rule.header.name
            if name not in refused:
                self._judged[name] = until
            elif name in self._judged:
                self._judged[name] = max(self._judged[name], earliest)
        return matches

    def _search(self, questions: Sequence[Question]) -> list[Match]:
        return search(self._compiler, self._ask, questions)
