"""From values to pages."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import Any, Final, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from auditstream.store.tokens import Scope

_PACKAGE: Final = "auditstream.api.explorer"
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
PAGE_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    # `no-referrer` would let browsers send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
}


class Link(NamedTuple):
    """An entry of the navigation."""

    path: str
    title: str
    icon: str
    scope: Scope = "read"


NAVIGATION: Final = (
    Link("/log", "Log", "list"),
    Link("/alerts", "Alerts", "bell", "alerts"),
    Link("/questions", "Questions", "question"),
    Link("/completeness", "Completeness", "check"),
)


class StaticFile(NamedTuple):
    """A file that is served as it is."""

    body: bytes
    media_type: str


@cache
def static_files() -> dict[str, StaticFile]:
    """Return the shipped scripts and styles by name."""
    return {
        file.name: StaticFile(file.read_bytes(), _TYPES[file.name[file.name.rindex(".") :]])
        for file in files(_PACKAGE).joinpath("static").iterdir()
    }


@cache
def static_address(name: str) -> str:
    """Return the address of a shipped file; it changes with its content."""
    digest = hashlib.blake2b(static_files()[name].body, digest_size=6).hexdigest()
    return f"/static/{name}?v={digest}"


@cache
def icon(name: str) -> Markup:
    """Return a shipped picture, to stand within a page; it says nothing to a screen reader."""
    picture = files(_PACKAGE).joinpath("icons", f"{name}.svg").read_text(encoding="utf-8")
    return Markup(picture.strip())  # noqa: S704 - shipped with the package


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader(_PACKAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "static": static_address,
        "icon": icon,
        "navigation": NAVIGATION,
    }
    return environment


def fragment(template: str, **values: Any) -> str:
    """Return a template with its values."""
    return _templates().get_template(template).render(**values)


def page(template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Return a page; without `visit` it is one for those who have not signed in."""
    body = fragment(template, **{"visit": None, "path": "", "csrf": "", **values})
    return HTMLResponse(body, status, dict(PAGE_HEADERS))


def refusal_page(status: int, title: str, detail: str) -> HTMLResponse:
    """Return the page that tells of a refusal."""
    return page("refusal.html", status=status, code=status, heading=title, detail=detail)
