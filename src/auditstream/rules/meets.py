"""What a test says of one text, for the checks when a rule is read."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address

from auditstream.rules.fold import fold
from auditstream.rules.regex import literal
from auditstream.rules.tree import ANY, Equals, Like, Matches, Test, Within


def passes(test: Test, text: str) -> bool:
    """Return whether a text passes a test of text; other tests are passed by none."""
    if isinstance(test, Equals):
        return (text if test.cased else fold(text)) in test.values
    if isinstance(test, Like):
        pattern = _compiled(like_pattern(test))
        return pattern.search(text if test.cased else fold(text)) is not None
    if isinstance(test, Matches):
        return _compiled(test.pattern).search(text) is not None
    return isinstance(test, Within) and within(test, text)


def within(test: Within, text: str) -> bool:
    """Return whether a text is an address of the network."""
    try:
        return ip_address(text) in test.network
    except ValueError:
        return False


def like_pattern(test: Like) -> str:
    """Return the canonical regular expression of a form."""
    pieces = (
        literal(part) if isinstance(part, str) else ("(?s:.)*" if part == ANY else "(?s:.)")
        for part in test.parts
    )
    return rf"\A{''.join(pieces)}\z"


@lru_cache(4_096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.replace(r"\z", r"\Z"), re.ASCII)
