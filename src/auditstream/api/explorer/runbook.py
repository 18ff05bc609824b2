"""A runbook as part of a page, with what the alert tells in the place of its blanks."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup, escape

from auditstream.contract.alert import Alert

_BLANK: Final = re.compile(r"<([a-z_]+)>")
_PLAIN: Final = re.compile(r"[\w.:@+ -]{1,256}")
"""What can stand in a statement or a command, within its quotes, and means nothing there."""

_BELOW: Final = 2
"""Headings of a runbook stand below those of the page."""

_SCROLLS: Final = 'class="scroll" tabindex="0" role="group"'
"""What may be wider than the page scrolls by itself, by keyboard, too."""


def render_runbook(text: str, alert: Alert) -> Markup:
    """Return the HTML of a runbook, which is Markdown; tags in it are shown as text.

    `<actor_id>` and other blanks that name a field of the alert's first event are filled in where
    the value is harmless in SQL and in a shell, else they stay as they are.
    """
    tokens = _MARKDOWN.parse(_filled(text, _values(alert)))
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + _BELOW)}"
    html = _MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {})
    return Markup(html)  # noqa: S704 - the renderer escapes, and lets no tag or script through


def _values(alert: Alert) -> dict[str, Any]:
    event = json.loads(alert.first_event) if alert.first_event else {}
    return {
        **event,
        "workspace_id": alert.workspace_id,
        "occurred_at": f"{alert.occurred_at:%Y-%m-%d %H:%M:%S}",
    }


def _filled(text: str, values: Mapping[str, Any]) -> str:
    def value(blank: re.Match[str]) -> str:
        known = values.get(blank[1])
        fits = isinstance(known, str) and _PLAIN.fullmatch(known) is not None
        return str(known) if fits else blank[0]

    return _BLANK.sub(value, text)


def _fence(_: Any, tokens: Sequence[Token], place: int, *__: Any) -> str:
    code = escape(tokens[place].content)
    return f'<pre {_SCROLLS} aria-label="Commands"><code>{code}</code></pre>\n'


def _markdown() -> MarkdownIt:
    # Neither tags nor links that run scripts come through.
    markdown = MarkdownIt("js-default").disable("image")
    markdown.add_render_rule("fence", _fence)
    markdown.add_render_rule(
        "table_open", lambda *_: f'<div {_SCROLLS} aria-label="Table"><table>\n'
    )
    markdown.add_render_rule("table_close", lambda *_: "</table></div>\n")
    return markdown


_MARKDOWN: Final = _markdown()
