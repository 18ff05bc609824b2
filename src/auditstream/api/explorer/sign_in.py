"""Signing in with a workspace token, and out."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from auditstream.api.admit import address_of, authenticate
from auditstream.api.credentials import Credentials
from auditstream.api.explorer.cookies import drop_cookie, read_cookie, set_cookie
from auditstream.api.explorer.render import page
from auditstream.api.explorer.session import SESSION_SECONDS, new_nonce
from auditstream.api.explorer.visit import SESSION, Visit, posting
from auditstream.api.services import Services, services_of
from auditstream.errors import RefusedError

HOME: Final = "/log"
_FORM: Final = "auditstream-sign-in"
_FORM_SECONDS: Final = 3_600
_MAX_FIELD: Final = 512

router = APIRouter(include_in_schema=False)


@router.get("/")
async def home() -> Response:
    """Lead to the first page."""
    return RedirectResponse(HOME, 303)


@router.get("/sign-in")
async def ask(request: Request) -> Response:
    """Show the form."""
    services = services_of(request)
    back = request.query_params.get("next", HOME)
    return await run_in_threadpool(_form, request, services, back, "", 200)


@router.post("/sign-in")
async def sign_in(request: Request) -> Response:
    """Begin a session, and lead on to where the visitor wanted to go."""
    services = services_of(request)
    form = await request.form()
    fields = {name: str(form.get(name, "")) for name in ("token", "secret", "csrf", "next")}
    nonce = read_cookie(request, _FORM) or ""
    ours = await run_in_threadpool(services.sessions.form_is_ours, nonce, fields["csrf"])
    if not nonce or not ours:
        words = "This form was too old, or your browser kept no cookie of it. Try again."
        return await run_in_threadpool(_form, request, services, fields["next"], words, 403)
    credentials = Credentials(fields["token"].strip()[:_MAX_FIELD], fields["secret"].strip())
    try:
        token = await authenticate(services, credentials, address_of(request) or "")
    except RefusedError as error:
        words = (
            f"Too many wrong tokens came from your address. Wait {error.headers['Retry-After']} s."
        )
        refused = await run_in_threadpool(_form, request, services, fields["next"], words, 429)
        refused.headers.update(error.headers)
        return refused
    if token is None:
        words = "There is no such workspace token, or its secret is another one."
        return await run_in_threadpool(_form, request, services, fields["next"], words, 401)
    request.state.token_id = token.token_id
    _, cookie = await run_in_threadpool(services.sessions.begin, token)
    response = RedirectResponse(_within(fields["next"]), 303)
    set_cookie(request, response, SESSION, cookie, SESSION_SECONDS)
    drop_cookie(request, response, _FORM)
    return response


@router.post("/sign-out")
async def sign_out(request: Request, _: Annotated[Visit, Depends(posting("read"))]) -> Response:
    """End the session in this browser."""
    response = RedirectResponse("/sign-in", 303, {"Clear-Site-Data": '"cache"'})
    drop_cookie(request, response, SESSION)
    return response


def _form(request: Request, services: Services, back: str, words: str, status: int) -> Response:
    nonce = new_nonce()
    csrf = services.sessions.form_token(nonce)
    response = page("sign_in.html", status=status, csrf=csrf, back=_within(back), words=words)
    set_cookie(request, response, _FORM, nonce, _FORM_SECONDS)
    return response


def _within(address: str) -> str:
    """Return the address if it is a path of ours, else that of the first page."""
    elsewhere = address.startswith(("//", "/\\")) or not address.startswith("/")
    return HOME if elsewhere or not address.isprintable() else address
