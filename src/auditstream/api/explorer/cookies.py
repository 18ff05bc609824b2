"""Cookies of the explorer: Secure, HttpOnly and SameSite=Lax.

Lax, and not Strict, so that a link from elsewhere, as of an alert in a chat, opens signed in. A
browser sends a Lax cookie from another site only when somebody follows a link there, with GET; not
with forms that post, frames, pictures or scripts. GET changes nothing here but that the access is
audited, and another site cannot read the answer. What changes something is posted, and each such
form holds a CSRF token that belongs to the session: that, not the cookie's attribute, is what stops
a forged one, from a sibling domain, too, which counts as the same site.

Over plain HTTP a browser keeps no Secure cookie, so on a loopback address, as in the demo, they go
without; under any other name the page has to be reached over HTTPS, if need be behind a proxy.
"""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


def read_cookie(request: Request, name: str) -> str | None:
    """Return the value of a cookie that `set_cookie` set."""
    return request.cookies.get(_full(request, name))


def set_cookie(request: Request, response: Response, name: str, value: str, seconds: int) -> None:
    """Let the browser keep a value for so long; it returns it to this host alone."""
    response.set_cookie(
        _full(request, name),
        value,
        max_age=seconds,
        path="/",
        secure=_secure(request),
        httponly=True,
        samesite="lax",
    )


def drop_cookie(request: Request, response: Response, name: str) -> None:
    """Let the browser forget a value."""
    set_cookie(request, response, name, "", 0)


def _secure(request: Request) -> bool:
    url = request.url
    return url.scheme == "https" or url.hostname not in _LOOPBACK


def _full(request: Request, name: str) -> str:
    # A browser takes a cookie of this prefix from the host itself only, over HTTPS.
    return f"__Host-{name}" if _secure(request) else name
