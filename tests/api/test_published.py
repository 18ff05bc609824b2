"""The published endpoint, as an existing client sees it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from auditstream.api.issue import Issued
from auditstream.contract.catalogue import shipped_catalogue
from auditstream.contract.check import check_event
from auditstream.publish.envelope import Envelope
from auditstream.store.connection import Store
from tests.api.conftest import NewToken, metadata_of
from tests.store.rows import START

PATH = "/api/workspace-0/audit_logs"
DAY = {"start_timestamp": "2025-03-03", "end_timestamp": "2025-03-04"}
SHOWN = ("id", "action", "description", "timestamp", "workspace_username")

pytestmark = pytest.mark.usefixtures("published")


def walk(client: TestClient, **parameters: str) -> Iterator[list[dict[str, Any]]]:
    token: str | None = None
    while True:
        given = {**DAY, **parameters, **({"next_token": token} if token else {})}
        answer = client.get(PATH, params=given)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert list(body) == ["audit_logs", "next_token"]
        yield body["audit_logs"]
        token = body["next_token"]
        if token is None:
            return


def entries(client: TestClient, **parameters: str) -> list[dict[str, Any]]:
    return [entry for page in walk(client, **parameters) for entry in page]


def stored(store: Store, condition: str = "1") -> list[str]:
    frame = store.query_frame(
        f"SELECT toString(e.event_id) AS id FROM {store.database}.events AS e "
        f"WHERE workspace_id = '0000000000000000' AND {condition} "
        "ORDER BY e.occurred_at DESC, e.event_id DESC"
    )
    return frame["id"].to_list()


class TestAnswer:
    """What is in an answer."""

    def test_pages_hold_everything_newest_first(self, client: TestClient, store: Store) -> None:
        """Pages of 100 hold every event of the workspace once, in order."""
        pages = list(walk(client))
        assert [len(page) for page in pages[:-1]] == [100] * (len(pages) - 1)
        assert [entry["id"] for page in pages for entry in page] == stored(store)

    def test_entry_has_the_published_shape(self, client: TestClient, store: Store) -> None:
        """Names, nesting and forms are those of the published API."""
        wanted = "action = 'connection_group_added_with_role' AND outcome = 'success'"
        first = stored(store, wanted)[0]
        entry = next(item for item in entries(client) if item["id"] == first)
        assert list(entry) == [*SHOWN, "context", "actor", "entity"]
        assert entry["description"] == "group added to connection"
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", entry["timestamp"])
        assert entry["workspace_username"] == "workspace-0"
        assert set(entry["actor"]) == {"ip", "user_agent", "user_id", "username"}
        assert set(entry["entity"]) == {"entity_name", "entity_type", "entity_id"}
        assert entry["entity"]["entity_type"] == "workspace_connection"
        context = entry["context"]
        assert {"group_id", "group_name", "role", "correlation_id"} <= set(context)
        assert "member_id" not in context
        assert "outcome" not in context
        assert context["role"] in {"view", "query", "manage"}
        assert all(isinstance(value, str) for value in context.values())

    def test_role_is_told_in_lower_case(self, store: Store, client: TestClient) -> None:
        """Whatever letters a producer has used."""
        assert all(
            entry["context"]["role"] == entry["context"]["role"].lower()
            for entry in entries(client)
            if "role" in entry["context"]
        )

    @pytest.mark.parametrize(
        ("parameter", "column"),
        [
            ("action", "action"),
            ("entity_id", "entity_id"),
            ("entity_type", "entity_type"),
            ("entity_name", "entity_name"),
            ("username", "actor_username"),
            ("ip", "actor_ip"),
            ("event_source", "source_service"),
        ],
    )
    def test_filters(self, client: TestClient, store: Store, parameter: str, column: str) -> None:
        """Each filter leaves those events whose column has the value."""
        value = store.query_frame(
            f"SELECT any({column}) FROM {store.database}.events "
            "WHERE workspace_id = '0000000000000000'"
        ).item()
        found = [entry["id"] for entry in entries(client, **{parameter: value})]
        assert found == stored(store, f"{column} = '{value}'")
        assert entries(client, **{parameter: "198.51.100.77"}) == []

    def test_range_includes_its_start_and_not_its_end(self, client: TestClient) -> None:
        """Two ranges that follow each other hold each event once."""
        everything = entries(client)
        middle = everything[50]["timestamp"]
        later = entries(client, start_timestamp=middle)
        earlier = entries(client, end_timestamp=middle)
        assert later + earlier == everything
        assert later[-1]["timestamp"] == middle

    @pytest.mark.parametrize(
        "text",
        [
            "2025-03-03T08:00:02",
            "2025-03-03T08:00:02.000000Z",
            "2025-03-03T10:00:02+02:00",
            "2025-03-03T03:00:02-05:00",
        ],
    )
    def test_offset_of_a_time_is_honoured(self, client: TestClient, text: str) -> None:
        """The same moment, said in several ways."""
        bound = (START + timedelta(seconds=2)).isoformat()
        assert entries(client, start_timestamp=text) == entries(client, start_timestamp=bound)
        assert 0 < len(entries(client, start_timestamp=text)) < len(entries(client))

    def test_plus_that_was_not_encoded_is_understood(self, client: TestClient) -> None:
        """A common slip of clients: the plus of an offset arrives as a space."""
        query = f"start_timestamp=2025-03-03T10:00:02+02:00&end_timestamp={DAY['end_timestamp']}"
        found = client.get(f"{PATH}?{query}").json()["audit_logs"]
        assert found == next(walk(client, start_timestamp="2025-03-03T08:00:02Z"))

    @pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
    def test_times_at_the_ends_of_the_calendar(self, client: TestClient, text: str) -> None:
        """They bound nothing, or everything."""
        if text.startswith("0"):
            assert len(entries(client, start_timestamp=text)) == len(entries(client))
        else:
            assert len(entries(client, end_timestamp=text)) == len(entries(client))


class TestRefusal:
    """Who is refused, and how it is told."""

    @pytest.mark.parametrize(
        "header",
        [
            {},
            {"Authorization": "Bearer abc"},
            {"Authorization": "Basic !!!"},
            {"Authorization": "Basic YWJj"},
            {"Authorization": "Basic bm9ib2R5OnNlY3JldA=="},
            {"Authorization": "Basic /////w=="},
        ],
    )
    def test_no_token(self, nobody: TestClient, header: dict[str, str]) -> None:
        """401 with a challenge, in the published form of an error."""
        answer = nobody.get(PATH, params=DAY, headers=header)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Basic realm=")
        assert set(answer.json()) == {"id", "message"}
        assert answer.json()["id"] == "unauthorized"

    @pytest.mark.parametrize("path", ["/api/workspace-1/audit_logs", "/api/nowhere/audit_logs"])
    def test_token_of_another_workspace(
        self, client: TestClient, published: list[Envelope], path: str
    ) -> None:
        """403, whether the other workspace exists or not; the attempt is in the own log."""
        answer = client.get(path, params=DAY)
        assert answer.status_code == 403
        assert answer.json() == {
            "id": "forbidden",
            "message": "the token is one of another workspace",
        }
        assert [event["outcome"] for event in published] == ["denied"]
        assert published[0]["workspace_username"] == "workspace-0"

    def test_token_without_the_scope(self, nobody: TestClient, new_token: NewToken) -> None:
        """403."""
        other = new_token(scopes=("alerts",))
        answer = nobody.get(PATH, params=DAY, auth=(other.token.token_id, other.secret))
        assert answer.status_code == 403
        assert "scope read" in answer.json()["message"]

    @pytest.mark.parametrize(
        ("accept", "status"),
        [
            ("application/hal+json", 406),
            ("text/html", 406),
            ("application/json;q=0, */*", 406),
            ("application/json", 200),
            ("application/hal+json, application/json", 200),
            ("*/*", 200),
            ("application/*;q=0.5", 200),
            ("", 200),
        ],
    )
    def test_media_type(self, client: TestClient, accept: str, status: int) -> None:
        """JSON is the answer, and only JSON."""
        assert client.get(PATH, params=DAY, headers={"Accept": accept}).status_code == status

    @pytest.mark.parametrize(
        ("change", "name"),
        [
            ({"start_timestamp": None}, "start_timestamp"),
            ({"end_timestamp": None}, "end_timestamp"),
            ({"start_timestamp": "yesterday"}, "start_timestamp"),
            ({"start_timestamp": "2025-02-30"}, "start_timestamp"),
            ({"end_timestamp": "2025-03-02"}, "end_timestamp"),
            ({"end_timestamp": ""}, "end_timestamp"),
            ({"ip": "300.1.1.1"}, "ip"),
            ({"action": "x" * 2_000}, "action"),
            ({"next_token": "abc"}, "next_token"),
            ({"next_token": "\N{SNOWMAN}"}, "next_token"),
            ({"next_token": ""}, "next_token"),
        ],
    )
    def test_wrong_parameter_is_named(
        self, client: TestClient, change: dict[str, str | None], name: str
    ) -> None:
        """400 that says which."""
        given = {key: value for key, value in {**DAY, **change}.items() if value is not None}
        answer = client.get(PATH, params=given)
        assert answer.status_code == 400
        assert answer.json()["id"] == "bad_request"
        assert answer.json()["message"].startswith(f"{name}: ")

    def test_page_token_is_good_for_its_request_only(
        self, client: TestClient, nobody: TestClient, new_token: NewToken
    ) -> None:
        """Not with other filters, another range or another workspace, nor changed in any byte."""
        token = client.get(PATH, params=DAY).json()["next_token"]
        good = client.get(PATH, params={**DAY, "next_token": token})
        assert good.status_code == 200
        for change in ({"action": "group_created"}, {"end_timestamp": "2025-03-05"}):
            refused = client.get(PATH, params={**DAY, "next_token": token, **change})
            assert refused.status_code == 400
        for at in range(0, len(token) - 1, 7):
            letter = "A" if token[at] != "A" else "B"
            forged = token[:at] + letter + token[at + 1 :]
            answer = client.get(PATH, params={**DAY, "next_token": forged})
            assert answer.status_code == 400
        other = new_token(1)
        stolen = nobody.get(
            "/api/workspace-1/audit_logs",
            params={**DAY, "next_token": token},
            auth=(other.token.token_id, other.secret),
        )
        assert stolen.status_code == 400

    def test_answers_carry_headers_of_caution(self, client: TestClient) -> None:
        """Nothing may be cached, framed or guessed."""
        for path, status in ((PATH, 400), ("/nothing", 404)):
            answer = client.get(path)
            assert answer.status_code == status
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "default-src 'none'" in answer.headers["content-security-policy"]


class TestAccess:
    """Reading is audited."""

    def test_access_is_published_and_meets_the_contract(
        self, client: TestClient, issued: Issued, published: list[Envelope]
    ) -> None:
        """With who, by which token, filters and number of rows."""
        answer = client.get(
            PATH, params={**DAY, "action": "group_created"}, headers={"User-Agent": "siem/1"}
        )
        (event,) = published
        now = datetime.now(UTC)
        source = {"service": "any", "epoch": 0, "sequence": 1}
        assert check_event({**event, "source": source}, shipped_catalogue(), now) == ()
        assert event["action"] == "audit_log_accessed"
        assert event["workspace_id"] == issued.token.workspace_id
        assert event["actor"]["type"] == "api_token"
        assert event["actor"]["id"] == issued.token.token_id
        assert event["actor"]["user_agent"] == "siem/1"
        told = metadata_of(event)
        assert told == {
            "token_id": issued.token.token_id,
            "path": PATH,
            "rows": str(len(answer.json()["audit_logs"])),
            "filter.action": "group_created",
            "filter.start_timestamp": DAY["start_timestamp"],
            "filter.end_timestamp": DAY["end_timestamp"],
        }
