"""What the headers of a request say of who sent it."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import ip_address
from typing import Final, TypeAlias

from auditstream.contract.ids import uuid7
from auditstream.contract.limits import MAX_LENGTH
from auditstream.publish.context import ContextValues

Header: TypeAlias = Callable[[str], str | None]
"""From a header's name, lower case, to its value; values of a repeated one joined by commas."""

_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")
_IDENTIFIER: Final = re.compile(rf"[\x21-\x7e]{{1,{MAX_LENGTH['request_id']}}}")
_WITH_PORT: Final = re.compile(r"\[(?P<v6>[^\]]+)\](:\d+)?|(?P<v4>[\d.]+):\d+")


def request_values(header: Header, peer: str | None, trusted_proxies: int) -> ContextValues:
    """Return the context values of a request that came from the address `peer`.

    What a client sends cannot make an event invalid: an unusable id or address counts as not sent,
    a user agent is cut to its bound. The request id is X-Request-ID, or made up. The correlation
    id is the trace id of `traceparent` (https://www.w3.org/TR/trace-context/), or the request id.
    """
    request_id = _identifier(header("x-request-id")) or str(uuid7())
    trace = _TRACEPARENT.fullmatch((header("traceparent") or "").strip())
    known = trace is not None and trace[1] != "0" * 32
    user_agent = (header("user-agent") or "")[: MAX_LENGTH["actor.user_agent"]]
    return {
        "ip": _address(header("x-forwarded-for"), peer, trusted_proxies),
        "user_agent": user_agent or None,
        "request_id": request_id,
        "correlation_id": trace[1] if trace is not None and known else request_id,
    }


def _identifier(value: str | None) -> str | None:
    return value if value and _IDENTIFIER.fullmatch(value) else None


def _address(forwarded_for: str | None, peer: str | None, trusted_proxies: int) -> str | None:
    """Return the client's address: the one that the outermost trusted proxy saw."""
    hops = [hop for hop in (forwarded_for or "").split(",") if hop.strip()]
    if trusted_proxies and hops:
        peer = hops[-min(trusted_proxies, len(hops))]
    return _canonical(peer or "")


def _canonical(text: str) -> str | None:
    text = text.strip()
    ported = _WITH_PORT.fullmatch(text)
    if ported is not None:
        text = ported["v6"] or ported["v4"]
    try:
        return str(ip_address(text.partition("%")[0]))
    except ValueError:
        return None
