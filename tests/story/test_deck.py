from __future__ import annotations

from collections import Counter

import pytest

from auditstream.contract.catalogue import shipped_catalogue
from auditstream.story.deck import Deck, shares
from auditstream.story.dice import dice


@pytest.mark.parametrize("cards", [40, 200, 987, 10_000])
def test_shares_add_up_and_leave_nobody_out(cards: int) -> None:
    """Every action gets a card, and the cards are as many as asked for."""
    counts = shares(shipped_catalogue(), cards)
    assert counts.total() == cards
    assert min(counts.values()) >= 1
    assert set(counts) == set(shipped_catalogue().actions)


def test_shares_follow_the_weights() -> None:
    """At the sum of the weights each action has exactly its weight."""
    actions = shipped_catalogue().actions.values()
    total = sum(action.weight for action in actions)
    assert shares(shipped_catalogue(), total) == {a.name: a.weight for a in actions}


def test_too_few_cards_are_refused() -> None:
    """Fewer cards than actions raise."""
    with pytest.raises(ValueError, match="too few"):
        shares(shipped_catalogue(), 20)


def test_cards_taken_out_of_turn_are_not_drawn() -> None:
    """What was taken is missing later, and no more can be taken than there is."""
    deck = Deck(dice(1), Counter(a=3, b=1))
    assert deck.take("b")
    assert not deck.take("b")
    assert deck.take("a")
    assert list(deck) == ["a", "a"]


def test_creations_come_early_and_deletions_late() -> None:
    """On average what is created comes before what is deleted."""
    order = list(Deck(dice(1), Counter(group_created=50, group_deleted=50)))
    assert order[:20] == ["group_created"] * 20
    assert order[-20:] == ["group_deleted"] * 20
