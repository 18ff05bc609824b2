"""Event ids: UUIDs of version 7 that ascend."""

from __future__ import annotations

import os
import threading
import time
from uuid import RFC_4122, UUID

import pytest

from auditstream.contract.ids import uuid7


def test_layout() -> None:
    """Version, variant and milliseconds stand where RFC 9562 puts them."""
    before = time.time_ns() // 1_000_000
    made = uuid7()
    after = time.time_ns() // 1_000_000
    assert (made.version, made.variant) == (7, RFC_4122)
    assert before <= made.int >> 80 <= after + 1


def test_ids_ascend() -> None:
    """Ids of one thread are all different and in order."""
    made = [uuid7() for _ in range(20_000)]
    assert made == sorted(set(made))
    assert [str(one) for one in made] == sorted(str(one) for one in made)


def test_clock_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that is set back does not put later ids before earlier ones."""
    first = uuid7()
    monkeypatch.setattr("auditstream.contract.ids.time.time_ns", lambda: 1_000_000_000)
    made = [first, *(uuid7() for _ in range(10_000))]
    assert made == sorted(set(made))


def test_threads() -> None:
    """Threads never make the same id."""
    made: list[list[UUID]] = [[] for _ in range(4)]

    def work(mine: list[UUID]) -> None:
        mine.extend(uuid7() for _ in range(5_000))

    threads = [threading.Thread(target=work, args=(mine,)) for mine in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({one for mine in made for one in mine}) == 20_000
    assert all(mine == sorted(mine) for mine in made)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_forks_differ() -> None:
    """A fork and its parent make different ids."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover  (another process)
        os.write(writer, "".join(str(uuid7()) for _ in range(100)).encode())
        os._exit(0)
    own = {str(uuid7()) for _ in range(100)}
    text = os.read(reader, 36 * 100).decode()
    assert os.waitpid(child, 0)[1] == 0
    theirs = {text[start : start + 36] for start in range(0, len(text), 36)}
    assert len(theirs) == 100
    assert not own & theirs
