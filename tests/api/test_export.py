"""Exports: every format whole and in order, resumed after a break, checked by the manifest."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import threading
from typing import Any

import polars as pl
import pytest
from starlette.testclient import TestClient

from auditstream.publish.envelope import Envelope
from auditstream.store.append import append_events
from auditstream.store.connection import Store
from auditstream.store.watermark import read_watermark
from tests.api.conftest import metadata_of
from tests.store.rows import STREAM, event_rows

PATH = "/v1/workspace-0/events/export"
FORMATS = ("csv", "jsonl", "parquet", "arrow", "ocsf", "ecs")

pytestmark = pytest.mark.usefixtures("published")


def stored(store: Store, condition: str = "1") -> list[str]:
    frame = store.query_frame(
        f"SELECT toString(e.event_id) AS id FROM {store.database}.events AS e "
        f"WHERE workspace_id = '0000000000000000' AND ({condition}) "
        "ORDER BY e.occurred_at, e.event_id"
    )
    return frame["id"].to_list()


def ids(content: bytes, form: str) -> list[str]:
    """Return the ids of the events in a file."""
    if form == "csv":
        return [row["event_id"] for row in csv.DictReader(io.StringIO(content.decode()))]
    if form == "parquet":
        return pl.read_parquet(io.BytesIO(content))["event_id"].to_list()
    if form == "arrow":
        return pl.read_ipc_stream(io.BytesIO(content))["event_id"].to_list()
    rows = [json.loads(line) for line in content.splitlines()]
    paths: dict[str, Any] = {
        "jsonl": lambda row: row["event_id"],
        "ocsf": lambda row: row["metadata"]["uid"],
        "ecs": lambda row: row["event"]["id"],
    }
    return [paths[form](row) for row in rows]


@pytest.mark.parametrize("form", FORMATS)
def test_file_is_whole_and_as_its_manifest_says(
    client: TestClient, store: Store, form: str
) -> None:
    """Every event once, the oldest first; count, size and hash agree."""
    answer = client.get(PATH, params={"format": form})
    assert answer.status_code == 200
    expected = stored(store)
    assert ids(answer.content, form) == expected
    assert answer.headers["export-events"] == str(len(expected))
    assert "attachment" in answer.headers["content-disposition"]
    manifest = client.get(
        f"{PATH}/manifest", params={"format": form, "export": answer.headers["export-id"]}
    ).json()
    assert manifest == {
        "export": answer.headers["export-id"],
        "format": form,
        "events": len(expected),
        "bytes": len(answer.content),
        "sha256": hashlib.sha256(answer.content).hexdigest(),
    }


@pytest.mark.parametrize("form", FORMATS)
def test_export_goes_on_where_it_broke_off(client: TestClient, store: Store, form: str) -> None:
    """The rest is the rest of the same file, although events have arrived meanwhile."""
    given = {"format": form, "outcome": ["success", "denied"]}
    whole = client.get(PATH, params=given)
    name = whole.headers["export-id"]
    before = stored(store)
    watermark = read_watermark(store, STREAM, 0)
    assert watermark is not None
    late = event_rows(50, first=watermark + 1, seed=watermark, workspaces=1)
    append_events(store, STREAM, 0, watermark, late, threading.Event())
    assert len(stored(store)) == len(before) + 50
    for offset in (1, len(whole.content) // 2, len(whole.content) - 1, len(whole.content)):
        rest = client.get(PATH, params={**given, "export": name, "offset": offset})
        assert rest.headers["export-id"] == name
        assert rest.content == whole.content[offset:]


def test_manifest_needs_no_export_before(client: TestClient, store: Store) -> None:
    """It is the manifest of an export that begins now, and pins it."""
    manifest = client.get(f"{PATH}/manifest", params={"format": "csv"}).json()
    assert manifest["events"] == len(stored(store))
    file = client.get(PATH, params={"format": "csv", "export": manifest["export"]})
    assert hashlib.sha256(file.content).hexdigest() == manifest["sha256"]


def test_export_id_is_good_for_its_export_only(client: TestClient) -> None:
    """Not for another format or filter."""
    name = client.get(PATH, params={"format": "csv"}).headers["export-id"]
    for change in ({"format": "jsonl"}, {"action": "group_created"}):
        answer = client.get(PATH, params={"format": "csv", "export": name, **change})
        assert answer.status_code == 400
        assert answer.json()["detail"].startswith("export: ")


def test_empty_export(client: TestClient, published: list[Envelope]) -> None:
    """A header and no rows; it is an access too."""
    answer = client.get(PATH, params={"format": "csv", "actor": "nobody"})
    assert len(answer.content.splitlines()) == 1
    told = metadata_of(published[-1])
    assert (told["rows"], told["filter.actor"]) == ("0", "nobody")


def test_rows_are_counted_in_the_access(
    client: TestClient, store: Store, published: list[Envelope]
) -> None:
    """Before the file is sent."""
    client.get(PATH, params={"outcome": "denied"})
    told = metadata_of(published[-1])
    assert told["rows"] == str(len(stored(store, "outcome = 'denied'")))
