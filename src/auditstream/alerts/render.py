"""Messages in words: Markdown for chats, HTML for mail, plain text for the rest.

Everything an event may say is made harmless on its way into a template (`finalize`); what is HTML
is escaped besides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Any, Final, Literal, TypeAlias

from jinja2 import Environment, PackageLoader, StrictUndefined

from auditstream.alerts.message import Letter, Message
from auditstream.alerts.neutral import chat, unlinked, web_link
from auditstream.alerts.wording import told_ids, told_sentence, told_when
from auditstream.contract.catalogue import SEVERITIES

Form: TypeAlias = Literal["md", "html", "txt"]

SHOWN: Final = 20
"""Alerts that a message of many spells out."""
TITLE_LENGTH: Final = 180
COLOURS: Final = {
    "informational": "#6b7280",
    "low": "#0e7490",
    "medium": "#b45309",
    "high": "#c2410c",
    "critical": "#b91c1c",
}


class Trusted(str):
    """Text of ours, which goes into a template as it is."""

    __slots__ = ()


def render(message: Message, form: Form) -> str:
    """Return the body of a message."""
    single = len(message.letters) == 1 and message.kind not in ("digest", "folded")
    values = _one(message) if single else _many(message)
    template = _environment(form).get_template(f"{'one' if single else 'many'}.{form}.j2")
    return template.render(values).strip() + "\n"


def title(message: Message) -> str:
    """Return the title, or subject, of a message: one line."""
    if message.kind in ("digest", "folded"):
        return f"auditstream: {_heading_of_many(message)}"
    letter = message.letters[0]
    sentence = unlinked(told_sentence(letter.alert, letter.count))
    text = f"[{letter.alert.level.upper()}] {heading(message)}{sentence}"
    return text if len(text) <= TITLE_LENGTH else f"{text[: TITLE_LENGTH - 1]}…"


def _one(message: Message) -> dict[str, Any]:
    letter = message.letters[0]
    alert = letter.alert
    when = told_when(alert, message.now)
    workspace = alert.workspace_username or alert.workspace_id
    facts = [
        ("Who", alert.actor),
        ("Whom", alert.whom),
        ("On", alert.entity),
        ("Workspace", workspace),
        ("When", when),
        ("So far", f"{letter.count:,} events" if letter.count > 1 else ""),
        ("Runbook", (alert.runbook or "") if web_link(alert.runbook) is None else ""),
    ]
    return {
        "a": alert,
        "heading": heading(message),
        "sentence": f"{told_sentence(alert, 1)}.",
        "when": when,
        "workspace": workspace,
        "count": letter.count,
        "ids": told_ids(alert),
        "facts": [(name, value) for name, value in facts if value],
        "colour": Trusted(COLOURS[alert.level]),
        "runbook": _trusted(web_link(alert.runbook)),
        "link": _trusted(web_link(alert.link)),
    }


def _many(message: Message) -> dict[str, Any]:
    shown = message.letters[:SHOWN]
    counts = Counter(letter.alert.level for letter in message.letters)
    levels = [f"{counts[level]:,} {level}" for level in reversed(SEVERITIES) if counts[level]]
    link = next((letter.alert.link for letter in shown if letter.alert.link), None)
    return {
        "heading": _heading_of_many(message),
        "levels": ", ".join(levels),
        "lines": [_line(letter) for letter in shown],
        "more": len(message.letters) - len(shown),
        "colour": Trusted(COLOURS[message.level]),
        "link": _trusted(web_link(link.rpartition("/")[0] if link else None)),
        "message_id": message.message_id,
    }


def _line(letter: Letter) -> dict[str, Any]:
    return {
        "level": letter.alert.level,
        "sentence": told_sentence(letter.alert, 1),
        "when": told_when(letter.alert),
        "count": letter.count,
    }


def heading(message: Message) -> str:
    """Return what stands before the sentence when it is not told for the first time."""
    return {
        "escalation": "Nobody has acknowledged this: ",
        "repeat": "It goes on: ",
        "test": "This is a test: ",
    }.get(message.kind, "")


def _heading_of_many(message: Message) -> str:
    count = len(message.letters)
    alerts = f"{count:,} more alert{'s' if count > 1 else ''}"
    if message.kind == "digest":
        return f"Digest of {alerts.replace(' more', '')}"
    return f"{alerts}, gathered because of the rate limit"


def _trusted(text: str | None) -> Trusted | None:
    return None if text is None else Trusted(text)


@cache
def _environment(form: Form) -> Environment:
    neutral: Callable[[str], str] = chat if form == "md" else unlinked

    def finalize(value: Any) -> Any:
        return neutral(value) if isinstance(value, str) and type(value) is not Trusted else value

    return Environment(
        loader=PackageLoader("auditstream.alerts"),
        autoescape=form == "html",  # noqa: S701 - the other forms are not HTML
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
