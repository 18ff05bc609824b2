"""`advance` in every order of events: a model of ClickHouse, the network, and two writers."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

import pytest

from auditstream.errors import ServiceUnavailableError, StoreError
from auditstream.store.advance import advance

BOUND = 30.0
AWAY = ServiceUnavailableError("away")
REFUSED = StoreError("refused", 395)


@dataclass
class Request:
    """An INSERT on its way: `runs_until` is when its bound ends it."""

    before: int
    token: str
    rows: list[int]
    runs_until: float


@dataclass
class Model:
    """ClickHouse as `advance` knows it, with a network that loses and delays, and crashes.

    One writer, a thread by its name, acts at a time. The dice decide which one, which request on
    its way goes on, and whether the server ends between noting a token and committing the part.
    """

    dice: random.Random
    writers: list[str]
    acting: str = ""
    rows: list[int] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    running: list[Request] = field(default_factory=list)
    now: float = 0.0
    changed: threading.Condition = field(default_factory=threading.Condition)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for the turn of this thread; give it on by the dice."""
        me = threading.current_thread().name
        with self.changed:
            assert self.changed.wait_for(lambda: self.acting in ("", me), 30.0)
            try:
                yield
            finally:
                self.acting = self.dice.choice(self.writers)
                self.changed.notify_all()

    def leave(self) -> None:
        """End the part of this thread in the game."""
        with self.turn():
            self.writers.remove(threading.current_thread().name)
            self.writers = self.writers or [""]

    def step(self) -> None:
        """Let time pass, and requests on their way land or die."""
        self.now += self.dice.choice([0.1, 1.0, BOUND / 3])
        self.running = [request for request in self.running if request.runs_until > self.now]
        while self.running and self.dice.random() < 0.3:
            self.commit(self.running.pop(self.dice.randrange(len(self.running))))

    def commit(self, request: Request) -> None:
        """Drop a request whose token is known; else note the token and, mostly, keep the rows."""
        if request.token in self.tokens:
            return
        self.tokens.add(request.token)
        if self.dice.random() < 0.3:
            self.running.clear()
            raise ServiceUnavailableError("crashed between token and part")
        self.rows.extend(request.rows)

    def read(self) -> int:
        """Return the watermark: how many rows there are."""
        with self.turn():
            with suppress(ServiceUnavailableError):
                self.step()
            if self.dice.random() < 0.1:
                raise AWAY
            return len(self.rows)

    def send(self, before: int, rows: list[int], attempt: int) -> None:
        """Send rows that follow the first `before` ones."""
        with self.turn():
            request = Request(before, f"{before}:{attempt}", rows, self.now + BOUND)
            if self.dice.random() < 0.2:
                raise AWAY
            if len(self.rows) != before:
                raise REFUSED
            # The guard is passed. Now the rows are on their way, and others may be faster.
            for _ in range(self.dice.randrange(3)):
                self.step()
            if self.dice.random() < 0.4:
                self.running.append(request)
                raise AWAY
            if request.runs_until <= self.now:
                raise REFUSED
            self.commit(request)
            if self.dice.random() < 0.2:
                raise AWAY

    def clock(self) -> float:
        """Return the time."""
        with self.turn():
            return self.now


@pytest.mark.parametrize("seed", range(60))
def test_rows_land_once_whatever_happens(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two writers of the same log, lost and late requests, crashes: each row lands once."""
    monkeypatch.setattr("auditstream.store.advance.FIRST_WAIT_SECONDS", 0.0)
    monkeypatch.setattr("auditstream.store.advance.LONGEST_WAIT_SECONDS", 0.0)
    monkeypatch.setattr("auditstream.store.advance.POLL_SECONDS", 0.0)
    steps = {"one": 3, "two": 4}
    model = Model(random.Random(seed), list(steps), "one")
    log = list(range(40))

    def write(step: int) -> None:
        position = 0
        while position < len(log):
            rows = log[position : position + step]
            try:
                position = advance(
                    position,
                    model.read,
                    partial(model.send, position, rows),
                    bound=BOUND,
                    abandoned=threading.Event(),
                    clock=model.clock,
                )
            except StoreError:
                position = wait_to_read(model.read)

        model.leave()

    threads = [threading.Thread(target=write, name=name, args=(steps[name],)) for name in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60.0)
    assert model.rows == log, f"seed {seed}"


def wait_to_read(read: Callable[[], int]) -> int:
    while True:
        try:
            return read()
        except ServiceUnavailableError:
            continue
