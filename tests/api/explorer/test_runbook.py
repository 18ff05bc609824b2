"""Runbooks as part of a page: Markdown, filled in, and harmless whatever the alert says."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from auditstream.api.explorer.runbook import render_runbook
from auditstream.contract.alert import Alert

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
ALERT = Alert(
    *("1", "rule", "Rule", "", "high", "sentence", "reason", "page", "", "w-1", "acme"),
    *("peter", "Sales", "group_created", NOW, NOW, ()),
)


def about(**event: str | None) -> Alert:
    """Return an alert whose first event has these fields."""
    return replace(ALERT, first_event=json.dumps(event))


def test_markdown_becomes_html() -> None:
    """Headings stand below those of the page; what may be wide scrolls by keyboard."""
    html = render_runbook(
        "# Title\n\n## Part\n\n```sql\nSELECT 1 < 2\n```\n\n|a|\n|-|\n|b|\n", ALERT
    )
    assert "<h3>Title</h3>" in html
    assert "<h4>Part</h4>" in html
    assert "<code>SELECT 1 &lt; 2\n</code></pre>" in html
    assert html.count('tabindex="0"') == 2


def test_blanks_are_filled_in() -> None:
    """From the alert and its first event; what nobody knows stays a blank."""
    text = "`<workspace_id> <occurred_at> <actor_id> <group_id> <nothing>`"
    html = render_runbook(text, about(actor_id="u-7", group_id=None))
    assert "w-1 2026-03-04 05:06:07 u-7 &lt;group_id&gt; &lt;nothing&gt;" in html
    assert "&lt;actor_id&gt;" in render_runbook(text, ALERT)


@pytest.mark.parametrize("hostile", ["' OR 1=1 --", "$(reboot)", "`x`", "a\\", "<b>", "a\nb", ""])
def test_hostile_value_is_not_filled_in(hostile: str) -> None:
    """It would be pasted into a statement or a shell."""
    html = render_runbook("```\nactor_id = '<actor_id>'\n```", about(actor_id=hostile))
    assert "actor_id = &#39;&lt;actor_id&gt;&#39;" in html


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "[a](javascript:alert(1))",
        "![a](https://elsewhere.example/a.png)",
        "<img src=x onerror=alert(1)>",
        "```<script>\n</code><script>alert(1)</script>\n```",
    ],
)
def test_hostile_markdown_is_text(hostile: str) -> None:
    """Neither tags nor scripts nor pictures of other hosts come through."""
    html = render_runbook(hostile, ALERT)
    for tag in ("<script", "<img", 'href="javascript'):
        assert tag not in html
