"""The door: who asks, whether they may, and not too often."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Final

from fastapi import Path
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from auditstream.api.accesses import Access, record_access
from auditstream.api.credentials import Credentials, read_credentials
from auditstream.api.services import Services, services_of
from auditstream.contract.address import canonical_address
from auditstream.errors import RefusedError
from auditstream.store.tokens import Scope, Token

_CHALLENGE: Final = {"WWW-Authenticate": 'Basic realm="auditstream", charset="UTF-8"'}

WorkspaceName = Annotated[
    str,
    Path(
        description="Name of the workspace as it stands in URLs.",
        min_length=1,
        max_length=1_024,
        examples=["acme"],
    ),
]


def admitting(scope: Scope) -> Callable[[Request, str], Awaitable[Access]]:
    """Return the dependency of a route: it admits tokens of the workspace with this scope.

    The route's path names the workspace `workspace_username`.

    Raises (the dependency):
        RefusedError: 401 without valid credentials, 403 where they do not reach, 429 when they
            were used too often, 503 when a refusal cannot be recorded.
        ServiceUnavailableError, StoreError: the tokens cannot be read.
    """

    async def admit(request: Request, workspace_username: WorkspaceName) -> Access:
        services = services_of(request)
        token = await _authenticated(request, services)
        take_allowance(request, services, token)
        access = Access(
            token,
            request.url.path,
            address_of(request),
            request.headers.get("user-agent"),
            filters_of(request),
        )
        reason = _why_not(token, workspace_username, scope)
        if reason is not None:
            await run_in_threadpool(
                record_access, services.audit, access, None, outcome="denied", reason=reason
            )
            raise RefusedError(403, reason)
        return access

    return admit


async def authenticate(services: Services, credentials: Credentials, client: str) -> Token | None:
    """Return the token of credentials, None when they are wrong; `client` is an address.

    Raises:
        RefusedError: 429, too many wrong ones came from the client.
        ServiceUnavailableError, StoreError: the tokens cannot be read.
    """
    verifier = services.verifier
    token = verifier.recall(credentials)
    if token is None:
        token = await run_in_threadpool(verifier.recall_anew, credentials)
    if token is not None:
        return token
    allowance = services.failures.look(client)
    if allowance.wait:
        raise RefusedError(429, "too many wrong credentials", {"Retry-After": str(allowance.wait)})
    token = await run_in_threadpool(verifier.verify, credentials)
    if token is None:
        services.failures.take(client)
    return token


def address_of(request: Request) -> str | None:
    """Return the canonical address of the client, None when it has none."""
    return canonical_address(request.client.host) if request.client else None


def take_allowance(request: Request, services: Services, token: Token) -> None:
    """Count a request of a token, and tell the outer layers whose it is.

    Raises:
        RefusedError: 429, the token was used too often.
    """
    allowance = services.requests.take(token.token_id)
    request.state.token_id = token.token_id
    request.state.allowance = allowance
    if allowance.wait:
        raise RefusedError(
            429,
            f"the token was used more than {allowance.limit} times in a minute",
            allowance.headers(),
        )


def filters_of(request: Request) -> dict[str, str]:
    """Return the query parameters, those of one name as one."""
    query = request.query_params
    return {name: ", ".join(query.getlist(name)) for name in query}


def _why_not(token: Token, workspace_username: str, scope: Scope) -> str | None:
    # Whether the other workspace exists is nobody's business.
    if token.workspace_username != workspace_username:
        return "the token is one of another workspace"
    return None if scope in token.scopes else f"the token lacks the scope {scope}"


async def _authenticated(request: Request, services: Services) -> Token:
    credentials = read_credentials(request.headers.get("authorization"))
    if credentials is None:
        raise RefusedError(401, "a workspace token and its secret are wanted", _CHALLENGE)
    token = await authenticate(services, credentials, address_of(request) or "")
    if token is None:
        raise RefusedError(401, "no such workspace token, or another secret", _CHALLENGE)
    return token
