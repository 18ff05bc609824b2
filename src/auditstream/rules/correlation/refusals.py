"""Ask for the matches of rules together, and keep one that the store refuses from the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from auditstream.errors import StoreError
from auditstream.rules.correlation.match import Match
from auditstream.rules.correlation.search import Question

Find: TypeAlias = Callable[[Sequence[Question]], list[Match]]
"""Returns the matches of questions; raises what the store raises."""


class Refusals:
    """Which rules the store refused when each was asked last, and why; for any number of threads.

    A rule whose query takes too long or too much memory, or names what is not there, is refused.
    `tell` is called with its name and the error each time.
    """

    def __init__(self, tell: Callable[[str, StoreError], None] = lambda name, error: None) -> None:
        self._tell = tell
        self._reasons: dict[str, str] = {}

    @property
    def reasons(self) -> dict[str, str]:
        """What is wrong, by name of the rule."""
        return dict(self._reasons)

    def matches(self, find: Find, questions: Sequence[Question]) -> list[Match]:
        """Return the matches of all questions but those that are refused.

        Asks once for all; if that is refused, for each alone. Rules that were refused before are
        asked alone at once. Blocks, and raises what `find` raises besides StoreError.
        """
        together = [q for q in questions if q.rule.header.name not in self._reasons]
        alone = [q for q in questions if q.rule.header.name in self._reasons]
        matches: list[Match] = []
        try:
            matches += find(together)
        except StoreError:
            alone = [*together, *alone]
        for question in alone:
            matches += self._alone(find, question)
        return matches

    def note(self, name: str, error: StoreError) -> None:
        """Take note that a rule was refused."""
        self._reasons[name] = str(error)
        self._tell(name, error)

    def _alone(self, find: Find, question: Question) -> list[Match]:
        name = question.rule.header.name
        try:
            matches = find([question])
        except StoreError as error:
            self.note(name, error)
            return []
        self._reasons.pop(name, None)
        return matches
