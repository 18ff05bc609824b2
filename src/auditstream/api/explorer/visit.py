"""Who looks at a page, and whether they may."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import HTTPException
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse

from auditstream.api.accesses import Access, record_access
from auditstream.api.admit import address_of, filters_of, take_allowance
from auditstream.api.explorer.cookies import read_cookie
from auditstream.api.explorer.render import page
from auditstream.api.explorer.session import Session
from auditstream.api.services import Services, services_of
from auditstream.errors import RefusedError
from auditstream.store.tokens import Scope, Token

SESSION: Final = "auditstream-session"


@dataclass(frozen=True)
class Visit:
    """A request of somebody who has signed in; `form` is what it posts."""

    services: Services
    access: Access
    session: Session
    csrf: str
    form: FormData

    @property
    def token(self) -> Token:
        """The token that was signed in with."""
        return self.access.token

    def may(self, scope: Scope) -> bool:
        """Tell whether the token has a scope."""
        return scope in self.token.scopes

    def record(self, rows: int | None) -> None:
        """Audit the access; `rows` is how many events or alerts are shown. Blocks.

        Raises:
            RefusedError: 503, it could not be kept, so the page must not leave.
        """
        record_access(self.services.audit, self.access, rows)

    def page(self, template: str, **values: Any) -> HTMLResponse:
        """Return a page, in the frame of one who has signed in."""
        return page(template, visit=self, csrf=self.csrf, path=self.access.path, **values)


Admission = Callable[[Request], Awaitable[Visit]]


def visiting(scope: Scope) -> Admission:
    """Return the dependency of a page: it admits who has signed in with a token of this scope.

    Raises (the dependency):
        HTTPException: 303 to the sign-in page, without a session.
        RefusedError: 403 where the token does not reach, 429 when it was used too often, 503 when
            a refusal cannot be recorded.
        ServiceUnavailableError, StoreError: the tokens cannot be read.
    """

    async def visit(request: Request) -> Visit:
        services = services_of(request)
        found = await run_in_threadpool(open_session, request, services)
        if found is None:
            back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            query = urlencode({"next": back}) if request.method == "GET" else ""
            raise HTTPException(303, "sign in first", {"Location": f"/sign-in?{query}"})
        session, token = found
        take_allowance(request, services, token)
        access = Access(
            token,
            request.url.path,
            address_of(request),
            request.headers.get("user-agent"),
            {name: value for name, value in filters_of(request).items() if value},
        )
        if scope not in token.scopes:
            reason = f"the token lacks the scope {scope}"
            await run_in_threadpool(
                record_access, services.audit, access, None, outcome="denied", reason=reason
            )
            raise RefusedError(403, reason)
        csrf = services.sessions.form_token(session.nonce)
        form = await request.form() if request.method == "POST" else FormData()
        return Visit(services, access, session, csrf, form)

    return visit


def posting(scope: Scope) -> Admission:
    """Return the dependency of what a form is posted to: as `visiting`, and the form is ours.

    Raises (the dependency):
        RefusedError: 403, the form comes from another site, or holds no CSRF token of the
            session; or as `visiting`.
    """
    admit = visiting(scope)

    async def post(request: Request) -> Visit:
        # A browser that tells where a form comes from need not be asked twice.
        if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
            raise RefusedError(403, "the form was sent from another site")
        visit = await admit(request)
        shown = visit.form.get("csrf")
        sessions = visit.services.sessions
        if not isinstance(shown, str) or not sessions.form_is_ours(visit.session.nonce, shown):
            raise RefusedError(403, "the form is not one of this session; load the page again")
        return visit

    return post


def open_session(request: Request, services: Services) -> tuple[Session, Token] | None:
    """Return the session of a request and its token, None without a valid one.

    Blocks when the tokens have to be read again; raises as `Verifier.find` does.
    """
    cookie = read_cookie(request, SESSION)
    session = services.sessions.open(cookie) if cookie else None
    token = services.verifier.find(session.token_id) if session else None
    if session is None or token is None or not services.sessions.holds(session, token):
        return None
    return session, token
