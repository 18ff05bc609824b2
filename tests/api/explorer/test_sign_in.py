"""Signing in and out, without a browser: cookies, forms, and what ends a session."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from auditstream import AuditLog
from auditstream.api.app import make_api
from auditstream.api.issue import Issued
from auditstream.api.services import FAILURES_PER_MINUTE
from auditstream.publish.envelope import Envelope
from auditstream.settings import Settings
from auditstream.store.connection import Store
from auditstream.store.tokens import add_revocation
from tests.api.conftest import NewToken, audit_log_of_no_room
from tests.stack.poll import eventually

HTTPS = "https://audit.example"


@pytest.fixture
def visitor(settings: Settings, store: Store, audit: AuditLog) -> Iterator[TestClient]:
    """A client that keeps cookies and follows no redirect, over HTTPS."""
    app = make_api(settings, audit=audit)
    with TestClient(app, base_url=HTTPS, follow_redirects=False) as client:
        yield client


def csrf_of(page: Any) -> str:
    """Return the token in the forms of an answer."""
    found = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert found
    token: str = found[1]
    return token


def sign_in(
    client: TestClient, issued: Issued, *, secret: str | None = None, back: str = "/log"
) -> Any:
    """Load the form and send it."""
    form = client.get("/sign-in", params={"next": back})
    return client.post(
        "/sign-in",
        data={
            "csrf": csrf_of(form),
            "next": back,
            "token": issued.token.token_id,
            "secret": issued.secret if secret is None else secret,
        },
    )


class TestSession:
    """What a sign-in gives, and what ends it."""

    def test_leads_back_to_the_page(self, visitor: TestClient, issued: Issued) -> None:
        """Who has not signed in is sent to the form, and from there to what was asked for."""
        sent = visitor.get("/log?severity=high")
        assert (sent.status_code, sent.headers["location"]) == (
            303,
            "/sign-in?next=%2Flog%3Fseverity%3Dhigh",
        )
        signed_in = sign_in(visitor, issued, back="/log?severity=high")
        assert (signed_in.status_code, signed_in.headers["location"]) == (303, "/log?severity=high")
        assert "workspace-0" in visitor.get("/log").text

    @pytest.mark.parametrize(
        "elsewhere", ["//evil.example", "https://evil.example", "/\\evil.example", "/\t/evil", ""]
    )
    def test_leads_nowhere_else(self, visitor: TestClient, issued: Issued, elsewhere: str) -> None:
        """A link to the form cannot send a visitor to another host."""
        assert sign_in(visitor, issued, back=elsewhere).headers["location"] == "/log"

    def test_cookie_is_guarded(self, visitor: TestClient, issued: Issued) -> None:
        """Secure, HttpOnly, SameSite, of this host alone; it does not hold the secret."""
        cookie = next(
            value
            for value in sign_in(visitor, issued).headers.get_list("set-cookie")
            if "session" in value
        )
        assert cookie.startswith("__Host-auditstream-session=")
        for mark in ("Secure", "HttpOnly", "SameSite=lax", "Path=/"):
            assert mark in cookie
        assert "Domain" not in cookie
        assert issued.secret not in cookie

    def test_works_on_loopback_without_https(
        self, settings: Settings, store: Store, audit: AuditLog, issued: Issued
    ) -> None:
        """The demo has no certificate; under any other name the cookie stays Secure."""
        app = make_api(settings, audit=audit)
        with TestClient(app, base_url="http://127.0.0.1:8700", follow_redirects=False) as client:
            sign_in(client, issued)
            assert client.get("/log").status_code == 200
        with TestClient(app, base_url="http://audit.example", follow_redirects=False) as client:
            assert "Secure" in client.get("/sign-in").headers["set-cookie"]

    def test_forged_cookie_is_none(self, visitor: TestClient, issued: Issued) -> None:
        """A changed byte, or anything else, is no session."""
        sign_in(visitor, issued)
        name = "__Host-auditstream-session"
        good = visitor.cookies[name]
        for bad in (good[:-2] + "AA", "A" + good[1:], good[:40], "é?", "", "A" * 5_000):
            visitor.cookies.clear()
            answer = visitor.get("/log", headers={b"Cookie": f"{name}={bad}".encode()})
            assert answer.status_code == 303

    def test_revocation_ends_it(
        self, visitor: TestClient, new_token: NewToken, store: Store
    ) -> None:
        """A token that was revoked opens nothing, within the time of the endpoint."""
        issued = new_token()
        sign_in(visitor, issued)
        assert visitor.get("/log").status_code == 200
        add_revocation(store, issued.token, datetime.now(UTC), "tester@here")
        eventually(
            lambda: visitor.get("/log").status_code == 303, within=10.0, what="the session to end"
        )

    def test_sign_out(self, visitor: TestClient, issued: Issued) -> None:
        """The browser forgets the session; a form without its CSRF token does not do it."""
        sign_in(visitor, issued)
        csrf = csrf_of(visitor.get("/log"))
        assert visitor.post("/sign-out").status_code == 403
        assert visitor.post("/sign-out", data={"csrf": csrf[::-1]}).status_code == 403
        assert visitor.get("/log").status_code == 200
        assert visitor.post("/sign-out", data={"csrf": csrf}).status_code == 303
        assert visitor.get("/log").status_code == 303


class TestRefusals:
    """What does not open the door."""

    @pytest.mark.parametrize("field", ["token", "secret"])
    def test_wrong_credentials(self, visitor: TestClient, issued: Issued, field: str) -> None:
        """Both are told the same, and neither sets a session."""
        other = Issued(issued.token, "wrong" if field == "secret" else issued.secret)
        form = {"csrf": csrf_of(visitor.get("/sign-in")), "next": "/log", "secret": other.secret}
        form["token"] = "nobody" if field == "token" else issued.token.token_id
        answer = visitor.post("/sign-in", data=form)
        assert answer.status_code == 401
        assert "There is no such workspace token, or its secret is another one." in answer.text
        assert visitor.get("/log").status_code == 303

    def test_foreign_form(self, visitor: TestClient, issued: Issued) -> None:
        """A form that another site sends signs nobody in, with the cookie or without."""
        fields = {"token": issued.token.token_id, "secret": issued.secret, "next": "/log"}
        assert visitor.post("/sign-in", data=fields).status_code == 403
        csrf = csrf_of(visitor.get("/sign-in"))
        visitor.cookies.clear()
        assert visitor.post("/sign-in", data={**fields, "csrf": csrf}).status_code == 403

    @pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
    def test_form_of_another_site(self, visitor: TestClient, issued: Issued, site: str) -> None:
        """A browser says where a form comes from: refused even with the token of the session."""
        sign_in(visitor, issued)
        form = {"csrf": csrf_of(visitor.get("/log"))}
        assert (
            visitor.post("/sign-out", data=form, headers={"Sec-Fetch-Site": site}).status_code
            == 403
        )
        assert visitor.get("/log").status_code == 200
        own = visitor.post("/sign-out", data=form, headers={"Sec-Fetch-Site": "same-origin"})
        assert own.status_code == 303

    def test_guessing_is_limited(self, visitor: TestClient, issued: Issued) -> None:
        """An address that guesses is told to wait; the limit is the endpoint's."""
        statuses = [
            sign_in(visitor, issued, secret=f"guess-{number}").status_code
            for number in range(FAILURES_PER_MINUTE + 2)
        ]
        assert set(statuses) == {401, 429}
        assert statuses[-1] == 429

    def test_scope_is_wanted(
        self, visitor: TestClient, new_token: NewToken, published: list[Envelope]
    ) -> None:
        """A page of another scope is 403, which is audited, and its button is not there."""
        sign_in(visitor, new_token(scopes=("read",)))
        assert "/log/export" not in visitor.get("/log").text
        assert visitor.get("/log/export?format=csv").status_code == 403
        assert [event["outcome"] for event in published] == ["success", "denied"]

    def test_answers_are_guarded(self, visitor: TestClient) -> None:
        """Nothing inline, no other host, no frame; a page is not kept, a versioned file is."""
        page = visitor.get("/sign-in")
        policy = page.headers["content-security-policy"]
        for rule in (
            *("default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'"),
            *("connect-src 'self'", "form-action 'self'", "frame-ancestors 'none'"),
            "base-uri 'none'",
        ):
            assert rule in policy.split("; ")
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["x-content-type-options"] == "nosniff"
        style = re.search(r'href="(/static/explorer.css[^"]*)"', page.text)
        assert style
        assert "immutable" in visitor.get(style[1]).headers["cache-control"]
        assert visitor.get("/static/..%2frender.py").status_code == 404


class TestAudit:
    """Reading the log through the page is audited as the endpoint is."""

    def test_page_is_recorded(
        self, visitor: TestClient, issued: Issued, published: list[Envelope]
    ) -> None:
        """Who, which path, which filters, how many rows."""
        sign_in(visitor, issued)
        assert not published
        visitor.get("/log?severity=high&actor=")
        (event,) = published
        assert event["action"] == "audit_log_accessed"
        said = {item["key"]: item["value"] for item in event["metadata"]}
        assert said["token_id"] == issued.token.token_id
        assert said["path"] == "/log"
        assert said["filter.severity"] == "high"
        assert "filter.actor" not in said

    @pytest.mark.parametrize("path", ["/log", "/log/export?format=csv", "/log/export/manifest"])
    def test_full_spool_refuses_to_show(
        self, settings: Settings, store: Store, issued: Issued, tmp_path: Path, path: str
    ) -> None:
        """503 as a page, nothing shown."""
        with (
            audit_log_of_no_room(tmp_path, max_spool_bytes=1) as audit,
            TestClient(make_api(settings, audit=audit), base_url=HTTPS) as client,
        ):
            client.follow_redirects = False
            sign_in(client, issued)
            answer = client.get(path)
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "5"
        assert "recorded" in answer.text
        assert "user_0" not in answer.text
