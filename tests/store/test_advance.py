"""`advance`: what it does with every kind of answer."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from auditstream.errors import AbandonedError, ServiceUnavailableError, StoreError
from auditstream.store.advance import advance

BOUND = 30.0


@dataclass
class Script:
    """A server that answers as it is told; `time` goes on by 10 s whenever the clock is read."""

    states: Sequence[int | Exception]
    answers: Sequence[Exception | None]
    attempts: list[int] = field(default_factory=list)
    time: float = 0.0

    def read(self) -> int:
        """Return the next state, or raise."""
        state, *self.states = self.states
        if isinstance(state, Exception):
            raise state
        return state

    def send(self, attempt: int) -> None:
        """Take note of the attempt and give the next answer."""
        self.attempts.append(attempt)
        answer, *self.answers = self.answers
        if answer:
            raise answer

    def clock(self) -> float:
        """Return the time, later at each call."""
        self.time += 10.0
        return self.time

    def run(self, abandoned: threading.Event | None = None) -> int:
        """Change the state 0."""
        stop = abandoned or threading.Event()
        return advance(0, self.read, self.send, bound=BOUND, abandoned=stop, clock=self.clock)


AWAY = ServiceUnavailableError("away")
REFUSED = StoreError("refused", 395)


@pytest.mark.parametrize("answer", [None, AWAY, REFUSED])
def test_the_state_decides(answer: Exception | None) -> None:
    """Whatever was answered, a state that has changed ends it."""
    script = Script([5], [answer])
    assert script.run() == 5
    assert script.attempts == [0]


def test_a_lost_request_keeps_its_token() -> None:
    """Without an answer the same attempt is sent again, how often so ever."""
    script = Script([0, 0, 0, 1], [AWAY, AWAY, AWAY, AWAY])
    assert script.run() == 1
    assert script.attempts == [0, 0, 0, 0]


def test_a_used_up_token_is_waited_out() -> None:
    """After an answer without a change the next attempt follows when the bound has passed."""
    script = Script([0] * 5 + [1], [None, None])
    assert script.run() == 1
    assert script.attempts == [0, 1]
    assert script.time > BOUND


def test_a_change_within_the_bound_is_seen() -> None:
    """While the bound is waited out, a change ends it."""
    script = Script([0, 0, 1], [None])
    assert script.run() == 1
    assert script.attempts == [0]


def test_a_refusal_without_a_change_is_raised() -> None:
    """A refused change that has not happened is told."""
    script = Script([0], [REFUSED])
    with pytest.raises(StoreError) as told:
        script.run()
    assert told.value is REFUSED


def test_a_refused_reading_is_raised() -> None:
    """A server that refuses to be read leaves it open, and is told."""
    script = Script([REFUSED], [None])
    with pytest.raises(StoreError) as told:
        script.run()
    assert told.value is REFUSED


def test_a_server_that_is_away_is_waited_for() -> None:
    """The reading is repeated until the server answers."""
    script = Script([AWAY, AWAY, 1], [AWAY])
    assert script.run() == 1
    assert script.attempts == [0]


def test_nothing_is_sent_once_abandoned() -> None:
    """An abandoned change is not sent."""
    abandoned = threading.Event()
    abandoned.set()
    script = Script([], [])
    with pytest.raises(AbandonedError):
        script.run(abandoned)
    assert script.attempts == []


@pytest.mark.parametrize("states", [[AWAY] * 50, [0] * 50])
def test_waiting_ends_when_abandoned(states: list[int | Exception]) -> None:
    """Waiting for the server, or for the bound, ends when it is abandoned."""
    abandoned = threading.Event()
    script = Script(states, [None])
    threading.Timer(0.3, abandoned.set).start()
    with pytest.raises(AbandonedError):
        advance(0, script.read, script.send, bound=1e9, abandoned=abandoned)
