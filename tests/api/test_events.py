"""Our own paths: pages of events by any filter, one event, forms, conditional requests."""

from __future__ import annotations

import gzip
import json
import re
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from backports import zstd
from starlette.testclient import TestClient

from auditstream.api.issue import Issued
from auditstream.publish.envelope import Envelope
from auditstream.store.connection import Store
from tests.api.conftest import NewToken, metadata_of

PATH = "/v1/workspace-0/events"
PUBLISHED = "/api/workspace-0/audit_logs?start_timestamp=2025-01-01&end_timestamp=2026-01-01"
PROBLEM = "application/problem+json"

pytestmark = pytest.mark.usefixtures("published")


def walk(client: TestClient, **parameters: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = client.get(PATH, params={**parameters, **cursor})
        assert answer.status_code == 200, answer.text
        found += answer.json()["events"]
        if answer.json()["next_cursor"] is None:
            return found
        cursor = {"cursor": answer.json()["next_cursor"]}


def stored(store: Store, condition: str = "1") -> set[str]:
    frame = store.query_frame(
        f"SELECT toString(e.event_id) AS id FROM {store.database}.events AS e "
        f"WHERE workspace_id = '0000000000000000' AND ({condition})"
    )
    return set(frame["id"].to_list())


def ids(events: list[dict[str, Any]]) -> set[str]:
    return {event["event_id"] for event in events}


class TestPages:
    """Lists of events."""

    @pytest.mark.parametrize(
        ("parameters", "condition"),
        [
            ({}, "1"),
            (
                {"action": ["group_created", "group_deleted"]},
                "action LIKE 'group_%ed' AND action IN ('group_created', 'group_deleted')",
            ),
            ({"category": "workspace_connections"}, "category = 'workspace_connections'"),
            ({"severity": "medium"}, "severity >= 'medium'"),
            ({"actor_type": "api_token"}, "actor_type = 'api_token'"),
            ({"entity_type": "workspace_group"}, "entity_type = 'workspace_group'"),
            ({"role": "manage"}, "role = 'manage'"),
            ({"role_change": "raised"}, "role_change > 0"),
            ({"role_change": ["lowered", "unchanged"]}, "role_change <= 0"),
            ({"outcome": ["denied", "failure"]}, "outcome != 'success'"),
            ({"source": "workspaces", "outcome": "denied"}, "outcome = 'denied'"),
            ({"since": "2025-03-03T08:00:02Z"}, "occurred_at >= '2025-03-03 08:00:02'"),
            (
                {"until": "2025-03-03T08:00:05Z", "time": "arrival"},
                "ingested_at < '2025-03-03 08:00:05'",
            ),
            ({"text": "ADDED TO COLLECTION"}, "sentence LIKE '%added to collection%'"),
            ({"text": "eu"}, "has(metadata.value, 'eu') OR position(sentence, 'eu') > 0"),
        ],
    )
    def test_filters(
        self, client: TestClient, store: Store, parameters: dict[str, Any], condition: str
    ) -> None:
        """Each filter leaves the events that its condition names."""
        assert ids(walk(client, **parameters, limit=150)) == stored(store, condition)

    @pytest.mark.parametrize(
        ("parameter", "columns"),
        [
            ("actor", ["actor_id", "actor_username", "actor_email"]),
            ("entity", ["entity_id", "entity_name"]),
            ("group", ["group_id", "group_name"]),
            ("member", ["member_id", "member_username", "member_email"]),
            ("ip", ["actor_ip"]),
            ("correlation_id", ["correlation_id"]),
            ("request_id", ["request_id"]),
        ],
    )
    def test_filters_by_any_name(
        self, client: TestClient, store: Store, parameter: str, columns: list[str]
    ) -> None:
        """People and things are found by id, name or address."""
        for column in columns:
            value = store.query_frame(
                f"SELECT any({column}) FROM {store.database}.events WHERE {column} IS NOT NULL "
                "AND workspace_id = '0000000000000000'"
            ).item()
            found = ids(walk(client, **{parameter: value}))
            assert found == stored(store, f"{column} = '{value}'")

    @pytest.mark.parametrize("time", ["occurrence", "arrival"])
    def test_order(self, client: TestClient, time: str) -> None:
        """The oldest first is the newest first, the other way round."""
        newest = walk(client, time=time, limit=97)
        oldest = walk(client, time=time, limit=89, order="oldest")
        assert [event["event_id"] for event in newest] == [
            event["event_id"] for event in reversed(oldest)
        ]
        column = "occurred_at" if time == "occurrence" else "ingested_at"
        times = [event[column] for event in oldest]
        assert times == sorted(times)

    @pytest.mark.parametrize(
        ("parameters", "name"),
        [
            ({"sverity": "high"}, "sverity"),
            ({"limit": "0"}, "limit"),
            ({"limit": "1001"}, "limit"),
            ({"severity": "dire"}, "severity"),
            ({"since": "soon"}, "since"),
            ({"since": "2025-03-04", "until": "2025-03-03"}, "until"),
            ({"ip": "1.2.3"}, "ip"),
            ({"cursor": "x"}, "cursor"),
            ({"action": ""}, "action"),
        ],
    )
    def test_wrong_parameter_is_a_problem(
        self, client: TestClient, parameters: dict[str, str], name: str
    ) -> None:
        """400 with problem details that name it."""
        answer = client.get(PATH, params=parameters)
        assert answer.status_code == 400
        assert answer.headers["content-type"] == PROBLEM
        assert answer.json()["title"] == "Bad Request"
        assert answer.json()["detail"].startswith(name)

    def test_access_is_published(self, client: TestClient, published: list[Envelope]) -> None:
        """With the filters as they were given."""
        answer = client.get(PATH, params={"outcome": "denied", "limit": 3})
        (event,) = published
        told = metadata_of(event)
        assert told["filter.outcome"] == "denied"
        assert told["rows"] == str(len(answer.json()["events"]))

    def test_repeated_filter_is_published_whole(
        self, client: TestClient, published: list[Envelope]
    ) -> None:
        """All values of a parameter are told, not the last one alone."""
        client.get(PATH, params={"outcome": ["denied", "failure"]})
        told = metadata_of(published[0])
        assert told["filter.outcome"] == "denied, failure"


class TestEvent:
    """One event."""

    def test_event_has_its_neighbours(self, client: TestClient, store: Store) -> None:
        """Others of its operation, what caused it, and what it caused."""
        rows = store.query_frame(
            f"SELECT toString(event_id) AS id FROM {store.database}.events "
            "WHERE workspace_id = '0000000000000000' ORDER BY kafka_partition, kafka_offset LIMIT 3"
        )["id"].to_list()
        cause, event, effect = rows
        # What a producer would have said: the table takes changes for the sake of erasure.
        for changed, values in {
            cause: "correlation_id = 'op-1'",
            event: f"correlation_id = 'op-1', causation_id = '{cause}'",
            effect: f"causation_id = '{event}'",
        }.items():
            store.command(
                f"ALTER TABLE {store.database}.events UPDATE {values} "
                f"WHERE event_id = '{changed}' SETTINGS mutations_sync = 2"
            )
        body = client.get(f"{PATH}/{event}").json()
        assert body["event"]["event_id"] == event
        assert ids(body["correlated"]) == {cause}
        assert ids(body["causes"]) == {cause}
        assert ids(body["effects"]) == {effect}

    def test_event_that_is_not_there(self, client: TestClient, store: Store) -> None:
        """404, and for an event of another workspace too."""
        other = store.query_frame(
            f"SELECT toString(any(event_id)) FROM {store.database}.events "
            "WHERE workspace_id != '0000000000000000'"
        ).item()
        for event_id in (str(uuid4()), other):
            answer = client.get(f"{PATH}/{event_id}")
            assert answer.status_code == 404
            assert answer.headers["content-type"] == PROBLEM
        assert client.get(f"{PATH}/no-uuid").status_code == 400


class TestForms:
    """OCSF and ECS."""

    def test_ocsf_has_what_its_classes_require(self, client: TestClient) -> None:
        """The attributes that OCSF 1.3 requires of every event and of each class."""
        events = walk(client, format="ocsf", limit=1000)
        classes = set()
        for event in events:
            classes.add(event["class_uid"])
            assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
            assert event["category_uid"] == event["class_uid"] // 1000
            assert event["metadata"]["version"] == "1.3.0"
            assert event["metadata"]["product"]["vendor_name"]
            assert isinstance(event["time"], int)
            assert event["severity_id"] in range(1, 6)
            assert event["actor"]["user"]["uid"]
            required = {
                3001: ["user"],
                3004: ["entity"],
                3005: ["user", "privileges"],
                3006: ["group"],
                6003: ["api", "src_endpoint"],
            }[event["class_uid"]]
            assert set(required) <= set(event)
        assert classes == {3001, 3004, 3005, 3006, 6003}

    def test_ecs_has_what_the_schema_requires(self, client: TestClient) -> None:
        """Base fields, allowed categories and types, and no null."""
        events = walk(client, format="ecs", limit=1000)
        for event in events:
            assert event["ecs"]["version"] == "8.11.0"
            assert re.fullmatch(r".*T.*Z", event["@timestamp"])
            assert event["event"]["kind"] == "event"
            assert set(event["event"]["category"]) <= {"iam", "configuration", "api"}
            assert set(event["event"]["type"]) <= {
                "creation",
                "deletion",
                "change",
                "access",
                "denied",
                "group",
                "user",
            }
            assert event["event"]["outcome"] in {"success", "failure"}
            assert "null" not in json.dumps(event)
        assert {"creation", "deletion", "change", "access", "denied", "group", "user"} == {
            kind for event in events for kind in event["event"]["type"]
        }


class TestAnswers:
    """What HTTP offers."""

    def test_unchanged_answer_is_not_sent_again(self, client: TestClient) -> None:
        """304 for a client that has it, also when it came compressed."""
        first = client.get(PATH, params={"limit": 50})
        tag = first.headers["etag"]
        for known in (tag, f"W/{tag.removeprefix('W/')}", f'"x", {tag}', "*"):
            again = client.get(PATH, params={"limit": 50}, headers={"If-None-Match": known})
            assert (again.status_code, again.content) == (304, b"")
        other = client.get(PATH, params={"limit": 51}, headers={"If-None-Match": tag})
        assert other.status_code == 200

    def test_head_is_get_without_body(self, client: TestClient, published: list[Envelope]) -> None:
        """The same headers, and the access is audited just so."""
        plain = {"Accept-Encoding": "identity"}
        got = client.get(PATH, headers=plain)
        head = client.head(PATH, headers=plain)
        assert head.status_code == 200
        assert head.content == b""
        assert head.headers["content-length"] == str(len(got.content))
        assert len(published) == 2
        export = client.head("/v1/workspace-0/events/export")
        assert (export.status_code, export.content) == (200, b"")

    def test_answers_are_compressed(self, client: TestClient) -> None:
        """By zstd or gzip, as the client likes; not at all if it takes neither."""
        plain = client.get(PATH, headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers
        for accepted, coding in {
            "gzip": "gzip",
            "zstd": "zstd",
            "gzip, zstd": "zstd",
            "gzip;q=1.0, zstd;q=0.5": "gzip",
            "*": "zstd",
        }.items():
            with client.stream("GET", PATH, headers={"Accept-Encoding": accepted}) as answer:
                raw = b"".join(answer.iter_raw())
            assert answer.headers["content-encoding"] == coding
            assert answer.headers["vary"] == "Accept-Encoding"
            body = gzip.decompress(raw) if coding == "gzip" else zstd.decompress(raw)
            assert body == plain.content
            assert len(raw) < len(body) / 3

    def test_limits_are_told(self, client: TestClient) -> None:
        """Each answer to a token says what is left of its limit."""
        answer = client.get(PATH, params={"limit": 1})
        assert re.fullmatch(r'"default";q=\d+;w=60', answer.headers["ratelimit-policy"])
        assert re.fullmatch(r'"default";r=\d+;t=\d+', answer.headers["ratelimit"])

    def test_what_is_too_large_is_refused(self, client: TestClient) -> None:
        """Before it is read."""
        assert client.get(PATH, params={"text": "x" * 60_000}).status_code == 414
        assert client.post(PATH, content=b"x" * 70_000).status_code == 413
        assert client.post(PATH, content=b"x").status_code == 405


class TestOthersStayAway:
    """A token never reads another workspace, whatever it says."""

    @pytest.mark.parametrize(
        "value",
        [
            "' OR 1=1 --",
            "') OR ('1'='1",
            "\\' OR 1=1 -- ",
            "x' UNION ALL SELECT * FROM system.users --",
            "{workspace_id:String}",
            "%' OR '%'='",
            "\x00' OR 1 --",
            "\u2019 OR 1=1",
            "'; DROP TABLE events; --",
        ],
    )
    def test_statements_in_parameters_are_text(self, client: TestClient, value: str) -> None:
        """They find nothing and break nothing."""
        names = ("action", "actor", "entity", "group", "member", "role", "source", "text")
        for name in names:
            answer = client.get(PATH, params={name: value})
            assert (answer.status_code, answer.json()["events"]) == (200, []), name
        for name in (
            "action",
            "entity_id",
            "entity_type",
            "entity_name",
            "username",
            "event_source",
        ):
            answer = client.get(f"{PUBLISHED}&{urlencode({name: value})}")
            assert (answer.status_code, answer.json()["audit_logs"]) == (200, []), name
        assert len(walk(client, limit=1000)) > 100

    @pytest.mark.parametrize(
        "path",
        [
            "/v1/workspace-1/events",
            "/v1/workspace-0%2F..%2Fworkspace-1/events",
            "/v1/workspace-0%00/events",
            "/v1/workspace-0'%20OR%201=1/events",
            "/v1/WORKSPACE-0/events",
            "/v1/%2e%2e/events",
            PUBLISHED.replace("workspace-0", "workspace-1"),
            "/v1/workspace-1/events/export",
            "/v1/workspace-1/events/export/manifest",
            "/v1/workspace-1/events/stream",
            "/v1/workspace-1/alerts",
        ],
    )
    def test_paths_lead_nowhere_else(self, client: TestClient, path: str) -> None:
        """Refused, and nothing is shown."""
        answer = client.get(path)
        assert answer.status_code in {403, 404}
        assert "event_id" not in answer.text

    def test_each_token_sees_its_own(
        self, client: TestClient, store: Store, new_token: NewToken, issued: Issued
    ) -> None:
        """Two tokens, two workspaces, no event in common."""
        other = new_token(1)
        mine = walk(client, limit=1000)
        answer = client.get(
            "/v1/workspace-1/events",
            params={"limit": 1000},
            auth=(other.token.token_id, other.secret),
        )
        theirs = answer.json()["events"]
        assert {event["workspace_id"] for event in mine} == {issued.token.workspace_id}
        assert {event["workspace_id"] for event in theirs} == {other.token.workspace_id}
        assert len(mine) + len(theirs) == 700
