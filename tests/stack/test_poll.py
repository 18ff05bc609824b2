"""`eventually`: what it returns, and what it says when its time is up."""

from __future__ import annotations

import pytest

from tests.stack.poll import eventually


def test_returns_the_first_truthy_value() -> None:
    """Falsy values and exceptions are polled over; the truthy value is returned."""
    answers = iter([0, ZeroDivisionError("not yet"), [], "done", "too late"])

    def predicate() -> object:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert eventually(predicate, within=30.0, what="an answer") == "done"


def test_names_what_it_waited_for_and_the_last_value() -> None:
    """At the deadline the error has the wait's name and the last value."""
    with pytest.raises(AssertionError, match=r"waited 0\.1 s in vain for ten rows; last: 0"):
        eventually(lambda: 0, within=0.1, what="ten rows")


def test_names_the_last_exception() -> None:
    """At the deadline the error has the predicate's exception, as its cause too."""
    with pytest.raises(AssertionError, match="last: ZeroDivisionError: integer division") as caught:
        eventually(lambda: 1 // 0, within=0.0, what="a quotient")
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
