"""Which actions are to happen, and roughly when: creations early, deletions late."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Final

from auditstream.contract.catalogue import Catalogue

CREATIONS: Final = 2


class Deck:
    """A card for each event that is to happen; `take` takes one out of turn.

    Iterate over it to draw the cards in turn.
    """

    def __init__(self, rng: Random, counts: Counter[str]) -> None:
        places = [(_place(rng, action), action) for action in counts.elements()]
        self._cards = [action for _, action in sorted(places)]
        self._left = counts.copy()
        self._taken: Counter[str] = Counter()

    def take(self, action: str) -> bool:
        """Take a card of the action out of turn; False when none is left."""
        if not self._left[action]:
            return False
        self._left[action] -= 1
        self._taken[action] += 1
        return True

    def __iter__(self) -> Iterator[str]:
        for action in self._cards:
            if self._taken[action]:
                self._taken[action] -= 1
            else:
                self._left[action] -= 1
                yield action


def shares(catalogue: Catalogue, cards: int) -> Counter[str]:
    """Return how many of `cards` each action gets by its weight; none gets none.

    Raises ValueError when there are too few cards for that.
    """
    counts = Counter({a.name: _least(a.name) for a in catalogue.actions.values()})
    if cards < counts.total():
        raise ValueError(f"{cards} events are too few for {len(counts)} actions")
    total = sum(action.weight for action in catalogue.actions.values()) or 1
    wanted = {a.name: a.weight * cards / total for a in catalogue.actions.values()}
    for name in counts:
        counts[name] = max(counts[name], int(wanted[name]))
    commonest = max(wanted, key=lambda name: wanted[name])
    for name in sorted(wanted, key=lambda name: int(wanted[name]) - wanted[name]):
        if counts.total() < cards:
            counts[name] += 1
    counts[commonest] += cards - counts.total()
    return counts


def _least(action: str) -> int:
    # Of two, one can be deleted and the other still have something happen to it.
    return CREATIONS if action.endswith("_created") else 1


def _place(rng: Random, action: str) -> float:
    """Return where in the story, 0 to 1, a card of the action comes up."""
    chance = rng.random()
    if action.endswith("_created"):
        return 0.7 * chance**2
    if action.endswith("_deleted"):
        return 0.6 + 0.4 * chance
    if action.endswith("_removed"):
        return 0.2 + 0.8 * chance
    return float(chance)
