"""Ask for the matches of rules together, and keep one that the store refuses from the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from auditstream.errors import StoreError
from auditstream.rules.correlation.match import Match
from auditstream.rules.correlation.search import Question

Find: TypeAlias = Callable[[Sequence[Question]], list[Match]]
"""Returns the matches of questions; raises what the store raises."""

SLOW_SECONDS: Final = 1.0
"""A refusal that came sooner holds up nobody."""

REST: Final = 2.0
"""How many times as long as a slow refusal took its rule rests; doubled with each in a row."""

LONGEST_REST_SECONDS: Final = 1800.0


@dataclass(frozen=True)
class _Refused:
    reason: str
    slow: int = 0
    """How many refusals in a row were slow."""
    rests_until: float = 0.0


class Refusals:
    """Which rules the store refused when each was asked last, and why; for any number of threads.

    A rule whose query takes too long or too much memory, or names what is not there, is refused.
    One that is refused only after a time would hold up the others again and again: it rests, each
    time twice as long, and is not asked meanwhile. `tell` is called with its name and the error
    each time; `clock` tells the seconds.
    """

    def __init__(
        self,
        tell: Callable[[str, StoreError], None] = lambda name, error: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tell = tell
        self._clock = clock
        self._refused: dict[str, _Refused] = {}

    @property
    def reasons(self) -> dict[str, str]:
        """What is wrong, by name of the rule."""
        return {name: refused.reason for name, refused in self._refused.copy().items()}

    def matches(self, find: Find, questions: Sequence[Question]) -> list[Match]:
        """Return the matches of all questions but those that are refused, or whose rules rest.

        Asks once for all; if that is refused, for each alone. Rules that were refused before are
        asked alone at once. Blocks, and raises what `find` raises besides StoreError.
        """
        together = [q for q in questions if q.rule.header.name not in self._refused]
        alone = [q for q in questions if q.rule.header.name in self._refused]
        matches: list[Match] = []
        try:
            matches += find(together)
        except StoreError:
            alone = [*together, *alone]
        for question in alone:
            matches += self._alone(find, question)
        return matches

    def note(self, name: str, error: StoreError, seconds: float = 0.0) -> None:
        """Take note that a rule was refused, after so many seconds."""
        before = self._refused.get(name)
        slow = 0 if seconds < SLOW_SECONDS else before.slow + 1 if before else 1
        rest = min(seconds * REST**slow, LONGEST_REST_SECONDS) if slow else 0.0
        reason = f"{error}; it is not asked for {rest:.0f} s" if rest else str(error)
        self._refused[name] = _Refused(reason, slow, self._clock() + rest)
        self._tell(name, error)

    def _alone(self, find: Find, question: Question) -> list[Match]:
        name = question.rule.header.name
        began = self._clock()
        refused = self._refused.get(name)
        if refused is not None and began < refused.rests_until:
            return []
        try:
            matches = find([question])
        except StoreError as error:
            self.note(name, error, self._clock() - began)
            return []
        self._refused.pop(name, None)
        return matches
