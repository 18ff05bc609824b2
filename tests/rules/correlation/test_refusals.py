"""Rules that the store refuses, and the time that they may take from others."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from auditstream.errors import StoreError
from auditstream.rules.correlation.match import Match
from auditstream.rules.correlation.refusals import LONGEST_REST_SECONDS, Refusals
from auditstream.rules.correlation.scope import Scope
from auditstream.rules.correlation.search import Question
from tests.rules.correlation.documents import correlation


class Evaluation:
    """A store that needs `seconds` to refuse the rule `slow`, and none for others."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.now = 0.0
        self.asked: list[str] = []
        self.refusals = Refusals(clock=lambda: self.now)
        self.questions = [
            Question(
                correlation(
                    name, type="event_count", rules=["any"], timespan="1m", condition={"gte": 2}
                ),
                Scope("audit", (0, 0), ()),
            )
            for name in ("quick", "slow")
        ]

    def find(self, questions: Sequence[Question]) -> list[Match]:
        """Answer, or refuse."""
        names = [question.rule.header.name for question in questions]
        self.asked += names
        if "slow" in names and self.seconds:
            self.now += self.seconds
            raise StoreError("too slow", 159)
        return []

    def evaluate(self, after: float = 0.0) -> list[str]:
        """Ask for the matches of both rules some seconds later; return the rules asked of."""
        self.now += after
        self.asked.clear()
        self.refusals.matches(self.find, self.questions)
        return self.asked


def test_a_slow_rule_rests_longer_each_time() -> None:
    """It delays others seldom and ever more so, until it is answered; then it is as any other."""
    evaluation = Evaluation(30)
    assert evaluation.evaluate() == ["quick", "slow", "quick", "slow"]
    assert "too slow; it is not asked for 60 s" in evaluation.refusals.reasons["slow"]
    rests = []
    for _ in range(8):
        began = evaluation.now
        while evaluation.evaluate(after=1) == ["quick"]:
            assert "slow" in evaluation.refusals.reasons
        rests.append(evaluation.now - 30 - began)
    assert rests[:4] == [60, 120, 240, 480]
    assert rests[-1] == LONGEST_REST_SECONDS

    evaluation.seconds = 0
    assert evaluation.evaluate(after=LONGEST_REST_SECONDS) == ["quick", "slow"]
    assert evaluation.refusals.reasons == {}
    evaluation.seconds = 30
    evaluation.evaluate()
    assert "not asked for 60 s" in evaluation.refusals.reasons["slow"]


@pytest.mark.parametrize("seconds", [0.01, 0.9])
def test_a_rule_refused_at_once_is_asked_again(seconds: float) -> None:
    """What holds up nobody need not rest, and is known to work again as soon as it does."""
    evaluation = Evaluation(seconds)
    evaluation.evaluate()
    assert evaluation.refusals.reasons == {"slow": "too slow"}
    assert evaluation.evaluate() == ["quick", "slow"]
