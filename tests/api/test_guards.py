"""Limits, accesses that cannot be recorded, servers that are away, and what is logged."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from auditstream import AuditLog
from auditstream.api.app import make_api
from auditstream.api.issue import Issued
from auditstream.api.rate import Limiter
from auditstream.publish.envelope import Envelope
from auditstream.settings import Settings
from tests.api.conftest import audit_log_of_no_room, basic
from tests.stack.ports import free_port

PATHS = (
    "/api/workspace-0/audit_logs?start_timestamp=2025-01-01&end_timestamp=2026-01-01",
    "/v1/workspace-0/events",
    "/v1/workspace-0/events/01955b0a-f670-783a-89d6-3595da725eb1",
    "/v1/workspace-0/events/export",
    "/v1/workspace-0/events/export/manifest",
    "/v1/workspace-0/events/stream",
    "/v1/workspace-0/alerts",
    "/v1/workspace-0/silences",
    "/v1/workspace-0/questions",
    "/v1/workspace-0/questions/self_grants",
)

IDENTIFIERS = ("alert_id", "silence_id")


@pytest.fixture(scope="module", params=["embedded"])
def url(request: pytest.FixtureRequest) -> str:
    """The embedded ClickHouse alone: what is tested here does not depend on it."""
    address: str = request.getfixturevalue("embedded_clickhouse").url
    return address


@contextmanager
def endpoint(settings: Settings, issued: Issued, audit: AuditLog) -> Iterator[TestClient]:
    """An endpoint of its own, for a client with the token."""
    app = make_api(settings, audit=audit)
    with TestClient(app, headers={"Authorization": basic(issued)}) as client:
        yield client


class TestAccesses:
    """No answer leaves that is not on record."""

    @pytest.mark.parametrize("path", PATHS)
    def test_full_spool_refuses_to_show(
        self, settings: Settings, issued: Issued, tmp_path: Path, path: str
    ) -> None:
        """503, nothing shown, and back again when there is room."""
        with (
            audit_log_of_no_room(tmp_path, max_spool_events=1) as audit,
            endpoint(settings, issued, audit) as client,
        ):
            assert client.get(PATHS[1]).status_code == 200
            answer = client.get(path)
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "5"
            assert "recorded" in answer.text
            assert "event_id" not in answer.text

    def test_refusal_to_another_workspace_is_recorded_too(
        self, settings: Settings, issued: Issued, tmp_path: Path
    ) -> None:
        """An attempt that cannot be recorded is answered 503, not 403."""
        with (
            audit_log_of_no_room(tmp_path, max_spool_bytes=1) as audit,
            endpoint(settings, issued, audit) as client,
        ):
            assert client.get("/v1/workspace-1/events").status_code == 503

    def test_record_is_durable_before_the_answer(
        self, settings: Settings, issued: Issued, tmp_path: Path
    ) -> None:
        """With no broker there, the event waits in the spool on disk."""
        with (
            AuditLog(
                service="auditstream-api",
                kafka_brokers="127.0.0.1:1",
                spool_dir=tmp_path,
                close_seconds=0.0,
            ) as audit,
            endpoint(settings, issued, audit) as client,
        ):
            assert client.get(PATHS[0]).status_code == 200
            assert audit.stats().spooled == 1
        assert any(tmp_path.iterdir())


class TestLimits:
    """How often a token may ask."""

    def test_requests_of_a_token_are_limited(
        self, settings: Settings, issued: Issued, audit: AuditLog, published: list[Envelope]
    ) -> None:
        """429 with Retry-After, in the words of the path; nothing is read then."""
        few = settings.model_copy(update={"api_requests_per_minute": 3})
        with endpoint(few, issued, audit) as client:
            answers = [client.get(PATHS[1], params={"limit": 1}) for _ in range(4)]
            assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
            left = [answer.headers["ratelimit"].split(";")[1] for answer in answers]
            assert left == ["r=2", "r=1", "r=0", "r=0"]
            assert 1 <= int(answers[3].headers["retry-after"]) <= 20
            assert client.get(PATHS[0]).json()["id"] == "too_many_requests"
        assert len(published) == 3

    @pytest.mark.usefixtures("published")
    def test_wrong_credentials_are_limited(
        self, settings: Settings, issued: Issued, audit: AuditLog
    ) -> None:
        """An address that guesses is refused before argon2; one that is known is let in."""
        app = make_api(settings, audit=audit)
        with TestClient(app) as client:
            assert client.get(PATHS[1], headers={"Authorization": basic(issued)}).is_success
            statuses = {
                client.get(PATHS[1], auth=(issued.token.token_id, f"guess-{number}")).status_code
                for number in range(60)
            }
            assert statuses == {401, 429}
            assert client.get(PATHS[1], headers={"Authorization": basic(issued)}).is_success

    def test_limiter_lets_in_what_it_says(self) -> None:
        """A burst of all, then one each interval; keys do not touch each other."""
        seconds = 0.0
        limiter = Limiter(60, clock=lambda: seconds)
        allowed = [limiter.take("a").wait == 0 for _ in range(100)]
        assert sum(allowed) == 60
        assert limiter.take("b").wait == 0
        wait = limiter.take("a").wait
        assert wait == 1
        seconds += wait
        assert limiter.take("a").wait == 0
        assert limiter.take("a").wait > 0
        seconds += 60.0
        assert limiter.look("a").remaining == 60


class TestFailures:
    """What a client is told when something is wrong here."""

    @pytest.mark.usefixtures("published")
    def test_store_that_is_away(self, settings: Settings, issued: Issued, audit: AuditLog) -> None:
        """503 without a word of what is inside."""
        away = settings.model_copy(update={"clickhouse_url": f"http://127.0.0.1:{free_port()}"})
        with endpoint(away, issued, audit) as client:
            for path in PATHS:
                answer = client.get(path)
                assert answer.status_code == 503
                assert answer.headers["retry-after"]
                assert "127.0.0.1" not in answer.text

    @pytest.mark.usefixtures("published")
    def test_fault_is_not_shown(self, settings: Settings, issued: Issued, audit: AuditLog) -> None:
        """500 without a traceback or a statement: here the table is missing."""
        other = settings.model_copy(update={"clickhouse_database": "nowhere"})
        with endpoint(other, issued, audit) as client:
            answer = client.get(PATHS[1])
            assert answer.status_code == 500
            for word in ("Traceback", "SELECT", "token_events", "Code:"):
                assert word not in answer.text
            assert answer.headers["x-content-type-options"] == "nosniff"

    @pytest.mark.usefixtures("published")
    def test_log_has_the_token_and_no_secret(
        self, nobody: TestClient, issued: Issued, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Method, path, status and the token's id; neither secret nor header nor query."""
        caplog.set_level(logging.DEBUG, "auditstream.api")
        header = basic(issued)
        answer = nobody.get(PATHS[1], params={"text": "hush"}, headers={"Authorization": header})
        assert answer.status_code == 200
        nobody.get(PATHS[1], auth=(issued.token.token_id, "wrong-secret"))
        logged = "\n".join(caplog.messages)
        assert "GET '/v1/workspace-0/events' 200" in logged
        assert f"token={issued.token.token_id}" in logged
        for hidden in (issued.secret, header, "wrong-secret", "hush"):
            assert hidden not in logged


def test_line_breaks_do_not_forge_log_lines(
    nobody: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    """A path is logged with its control characters escaped."""
    caplog.set_level(logging.INFO, "auditstream.api")
    nobody.get("/v1/a%0Aforged/events")
    assert all("\n" not in message for message in caplog.messages)
    assert any("a\\nforged" in message for message in caplog.messages)


def test_openapi_names_every_route(nobody: TestClient) -> None:
    """And how to show a token, and an example of each parameter that is required."""
    document: dict[str, Any] = nobody.get("/openapi.json").json()
    assert len(document["paths"]) == 13
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert operation["security"] == [{"workspaceToken": []}]
            statuses = set(operation["responses"])
            assert {"400", "401", "403", "429", "503"} < statuses, path
            assert statuses & {"200", "201"}, path
            for parameter in operation["parameters"]:
                if parameter["required"] and parameter["name"] not in IDENTIFIERS:
                    assert parameter["schema"].get("examples"), parameter["name"]
