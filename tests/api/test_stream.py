"""The live stream: each event once, over reconnections, until the token ends."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from auditstream import AuditLog
from auditstream.api.app import make_api
from auditstream.api.issue import Issued, revoke_token
from auditstream.publish.envelope import Envelope
from auditstream.settings import Settings
from auditstream.store.append import append_events
from auditstream.store.connection import Store
from auditstream.store.watermark import read_watermark
from tests.api.conftest import NewToken, basic
from tests.api.serving import serving
from tests.store.rows import STREAM, event_rows

PATH = "/v1/workspace-0/events/stream"
WAIT_SECONDS = 10.0

pytestmark = pytest.mark.usefixtures("published")


@pytest.fixture(scope="module")
def address(settings: Settings, store: Store, audit: AuditLog) -> Iterator[str]:
    """Where the endpoint listens."""
    with serving(make_api(settings, audit=audit)) as address:
        yield address


@pytest.fixture
def live(address: str, issued: Issued) -> Iterator[httpx.Client]:
    """A client with the token, over a real connection."""
    headers = {"Authorization": basic(issued)}
    with httpx.Client(base_url=address, headers=headers, timeout=WAIT_SECONDS) as client:
        yield client


def take(
    client: httpx.Client, count: int, *, last: str | None = None, **parameters: Any
) -> list[tuple[str, dict[str, Any]]]:
    """Return the first events of a stream with their ids; then the client goes away."""
    headers = {"Last-Event-ID": last} if last else {}
    with client.stream("GET", PATH, params=parameters, headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        return list(itertools.islice(events(answer), count))


def events(answer: httpx.Response) -> Iterator[tuple[str, dict[str, Any]]]:
    fields: dict[str, str] = {}
    for line in answer.iter_lines():
        name, _, value = line.partition(": ")
        if line:
            fields[name] = value
        elif "data" in fields:
            yield fields["id"], json.loads(fields["data"])
            fields = {}
        else:
            fields = {}


def arrive(store: Store, count: int, partition: int = 0) -> list[str]:
    """Store events of workspace 0; return their ids."""
    watermark = read_watermark(store, STREAM, partition)
    assert watermark is not None
    frame = event_rows(
        count, first=watermark + 1, partition=partition, seed=watermark + 9, workspaces=1
    )
    append_events(store, STREAM, partition, watermark, frame, threading.Event())
    return frame["event_id"].to_list()


def place(store: Store) -> list[str]:
    frame = store.query_frame(
        f"SELECT toString(event_id) AS id FROM {store.database}.events "
        "WHERE workspace_id = '0000000000000000' ORDER BY kafka_partition, kafka_offset"
    )
    return frame["id"].to_list()


def test_resuming_leaves_no_gap_and_repeats_nothing(live: httpx.Client, store: Store) -> None:
    """A client that is cut off again and again sees each event once."""
    expected = place(store)
    seen: list[str] = []
    last: str | None = None
    for count in (1, 7, 150, 200, 700):
        wanted = min(count, len(expected) - len(seen))
        taken = take(live, wanted, last=last, replay="true")
        seen += [event["event_id"] for _, event in taken]
        last = taken[-1][0]
        expected += arrive(store, 5, partition=1)
    while len(seen) < len(expected):
        taken = take(live, len(expected) - len(seen), last=last)
        seen += [event["event_id"] for _, event in taken]
        last = taken[-1][0]
    assert sorted(seen) == sorted(expected)


def test_events_come_as_they_are_stored(live: httpx.Client, store: Store) -> None:
    """Without being asked for: those that arrive while the stream is open, and those alone."""
    with live.stream("GET", PATH) as answer:
        coming = events(answer)
        for partition in (0, 1, 0):
            expected = arrive(store, 3, partition)
            assert [next(coming)[1]["event_id"] for _ in expected] == expected


def test_filters_and_forms(live: httpx.Client, store: Store) -> None:
    """As for pages."""
    taken = take(live, 20, replay="true", outcome="success", format="ecs")
    assert {event["event"]["outcome"] for _, event in taken} == {"success"}
    end = live.get(PATH, params={"replay": "true", "actor": "nobody", "seconds": "0.1"})
    assert "data:" not in end.text


def test_reading_is_audited(live: httpx.Client, published: list[Envelope]) -> None:
    """When the stream opens, and before each batch that it sends."""
    take(live, 5, replay="true")
    told = [
        {item["key"]: item["value"] for item in event["metadata"]}["rows"] for event in published
    ]
    assert told[0] == "0"
    assert int(told[1]) >= 5


def test_accesses_alone_are_not_an_access(
    live: httpx.Client, store: Store, published: list[Envelope]
) -> None:
    """Else a stream would feed itself."""
    ids = store.query_frame(
        f"SELECT count() FROM {store.database}.events WHERE action = 'audit_log_accessed' "
        "AND workspace_id = '0000000000000000'"
    ).item()
    assert ids > 0
    taken = take(live, ids, replay="true", action="audit_log_accessed")
    assert {event["action"] for _, event in taken} == {"audit_log_accessed"}
    assert len(published) == 1


def test_stream_ends_with_its_token(address: str, store: Store, new_token: NewToken) -> None:
    """Within seconds of the revocation."""
    other = new_token()
    with (
        httpx.Client(headers={"Authorization": basic(other)}, timeout=WAIT_SECONDS) as client,
        client.stream("GET", address + PATH, params={"replay": "true"}) as answer,
    ):
        lines = answer.iter_lines()
        next(lines)
        revoke_token(store, other.token, by="tester", now=datetime.now(UTC))
        for _ in lines:
            pass
    assert answer.status_code == 200


def test_wrong_last_event_id(live: httpx.Client, store: Store) -> None:
    """400, and so is one that was given for other filters."""
    last = take(live, 1, replay="true")[0][0]
    for given, parameters in (("x", {}), (last, {"outcome": "denied"})):
        answer = live.get(PATH, headers={"Last-Event-ID": given}, params=parameters)
        assert answer.status_code == 400
        assert answer.json()["detail"].startswith("Last-Event-ID: ")
