"""Changing a state of the store exactly once, whatever becomes of requests and answers.

The state is what a table says it is: the watermark of a partition, or a number of rows, which every
change moves on. A change is one INSERT, atomic because it is one part, which lands only on the
state it was made for. Two things see to that:

- Guard: the statement fails unless the state is the one it was made for. ClickHouse evaluates it
  before the rows arrive, so it stops every late writer, but not two at once.
- Predecessor token: its deduplication token names the state it follows, not its rows. ClickHouse
  notes a token together with the part, under one lock, and drops every later INSERT under it: of
  all writers that follow the same state, one lands. Tokens are kept per ClickHouse partition, so
  all of them must aim at the same one.

An answer proves nothing: a dropped INSERT is answered like one that landed, and a lost answer
says neither. So the state is read after each attempt. If it has changed, this change or another
one has landed. If it has not, then

- an attempt without an answer is sent again under the same token: whichever of the two the server
  meets first lands, the other is dropped, even if the first one is still on its way;
- an attempt that was answered has used up its token without a part: the server ended between
  noting the one and committing the other. Once the bound of a statement has passed since the
  answer, nothing under that token can land any more, and the next attempt has another token.

No other way leads to another token: two writers under different tokens could both land. Attempts
are counted from 0 by every writer, so that all of them come by the same tokens in the same order.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_when_event_set, wait_exponential
from tenacity.nap import sleep_using_event

from auditstream.errors import AbandonedError, ServiceUnavailableError, StoreError

T = TypeVar("T")
Clock = Callable[[], float]

FIRST_WAIT_SECONDS: Final = 0.05
LONGEST_WAIT_SECONDS: Final = 2.0
POLL_SECONDS: Final = 0.25

_log = logging.getLogger(__name__)


def advance(
    before: T,
    read: Callable[[], T],
    send: Callable[[int], None],
    *,
    bound: float,
    abandoned: threading.Event,
    clock: Clock = time.monotonic,
) -> T:
    """Change the state from `before`, and return what it is afterwards.

    `read` returns the state; `send` sends the change, with the attempt's number in its token;
    `bound` is the longest such a statement runs, in seconds. Blocks until the state is no longer
    `before`, whoever has changed it, and waits for a server that is away.

    Raises:
        AbandonedError: `abandoned` was set; the change may have landed, or may land yet.
        StoreError: the server refused the change or the reading; the call can be repeated.
    """
    attempt = 0
    pause = FIRST_WAIT_SECONDS
    while True:
        if abandoned.is_set():
            raise AbandonedError("an insert was given up before it was sent")
        outcome = _send(send, attempt)
        after = wait_for(read, abandoned)
        if after != before:
            return after
        if isinstance(outcome, StoreError):
            raise outcome
        if isinstance(outcome, ServiceUnavailableError):
            _log.warning("an insert was lost, sending it again: %s", outcome)
            abandoned.wait(pause)
            pause = min(2 * pause, LONGEST_WAIT_SECONDS)
            continue
        _log.warning("an insert was answered but has not landed, waiting out its bound")
        until = clock() + bound
        while after == before and clock() < until:
            if abandoned.wait(POLL_SECONDS):
                raise AbandonedError("an insert was given up before it was decided")
            after = wait_for(read, abandoned)
        if after != before:
            return after
        attempt += 1


def _send(send: Callable[[int], None], attempt: int) -> StoreError | ServiceUnavailableError | None:
    try:
        send(attempt)
    except (StoreError, ServiceUnavailableError) as error:
        return error
    return None


def wait_for(read: Callable[[], T], abandoned: threading.Event) -> T:
    """Return what `read` returns, asked again while the server is away. Blocks meanwhile.

    Raises:
        AbandonedError: `abandoned` was set before the server answered.
        StoreError: the server refused the reading.
    """
    waiting = Retrying(
        retry=retry_if_exception_type(ServiceUnavailableError),
        wait=wait_exponential(FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS),
        stop=stop_when_event_set(abandoned),
        sleep=sleep_using_event(abandoned),
        reraise=True,
    )
    try:
        return waiting(read)
    except ServiceUnavailableError as error:
        raise AbandonedError(f"an insert was given up while the store was away: {error}") from error
