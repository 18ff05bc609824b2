"""Messages as a person reads them: golden files, and names that try to be more than names."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from auditstream.alerts.console import alert_line
from auditstream.alerts.message import Letter, Message, MessageKind
from auditstream.alerts.render import Form, render, title
from auditstream.contract.alert import Alert
from tests.alerts.samples import ESCALATION, GRANT, OCCURRED, SILENT_PRODUCER, alert

GOLDEN = Path(__file__).parent / "golden"
NOW = OCCURRED + timedelta(minutes=4)
MESSAGE_ID = "7d1f0f0a-3a55-5c0e-8a1b-5b8e6f1f2b02"
RULES = {
    "role_escalation": ESCALATION,
    "manage_to_group": GRANT,
    "producer_silent": SILENT_PRODUCER,
}
COUNTS = {"manage_to_group": 12}


def message(*alerts: Alert, kind: MessageKind = "alert", count: int = 1) -> Message:
    return Message(MESSAGE_ID, kind, tuple(Letter(item, count) for item in alerts), NOW)


def compare(name: str, text: str) -> None:
    """Compare with a golden file; AUDITSTREAM_TEST_GOLDEN=write writes it anew."""
    path = GOLDEN / name
    if os.environ.get("AUDITSTREAM_TEST_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("form", ["md", "txt", "html"])
@pytest.mark.parametrize("rule", RULES)
def test_message_is_as_looked_at(rule: str, form: Form) -> None:
    """Chat message, plain text and mail of three rules are those that were found clear."""
    shown = message(RULES[rule], count=COUNTS.get(rule, 1))
    heading = "" if form == "html" else f"{title(shown)}\n\n"
    compare(f"{rule}.{form}", heading + render(shown, form))


@pytest.mark.parametrize("rule", RULES)
def test_console_line_is_as_looked_at(rule: str) -> None:
    """The console's line of three rules, too."""
    compare(f"{rule}.console", alert_line(RULES[rule], COUNTS.get(rule, 1)) + "\n")


@pytest.mark.parametrize("form", ["md", "txt", "html"])
def test_what_is_found_in_history_is_not_told_as_news(form: Form) -> None:
    """An alert raised over history says so, and when it happened, in every form."""
    old = replace(GRANT, retroactive=True, detected_at=NOW)
    for text in (render(message(old), form), render(message(old, GRANT), form)):
        assert text.count("(retroactive)") == 1
        assert "found in history, not news" in text
        assert f"{GRANT.occurred_at:%Y-%m-%d %H:%M:%S} UTC" in text
    assert title(message(old)).endswith("(retroactive)")
    assert "(retroactive)" in alert_line(old, 1)


@pytest.mark.parametrize("form", ["md", "txt", "html"])
def test_many_alerts_are_counted_and_the_first_told(form: Form) -> None:
    """A message that gathers alerts says how many of each level, and spells out twenty."""
    alerts = [GRANT, *(alert(n, level="low", sentence=f"did thing {n}") for n in range(24))]
    text = render(message(*alerts, kind="folded"), form)
    compare(f"folded.{form}", text)
    assert "25 more alerts" in text
    assert "1 critical, 24 low" in text
    assert "5 more" in text
    assert text.count("did thing") == 19


@pytest.mark.parametrize(
    ("kind", "start"),
    [
        ("escalation", "[HIGH] Nobody has acknowledged this: ada.khan"),
        ("repeat", "[HIGH] It goes on: ada.khan"),
        ("test", "[HIGH] This is a test: ada.khan"),
        ("digest", "auditstream: Digest of 1 alert"),
        ("folded", "auditstream: 1 more alert"),
    ],
)
def test_title_says_what_kind_it_is(kind: MessageKind, start: str) -> None:
    """Whoever sees only the title knows whether it is new."""
    assert title(message(ESCALATION, kind=kind)).startswith(start)


class Page(HTMLParser):
    """Tags and links of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str | None] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag, and where it leads."""
        self.tags.add(tag)
        self.links += [value for name, value in attrs if name in ("href", "src")]


EVIL = [
    "<script>alert(1)</script>",
    "<!here>",
    "<!channel|all>",
    "@channel",
    "<@U024BE7LH>",
    "[reset](https://evil.example)",
    "<https://evil.example|reset>",
    "https://evil.example/reset",
    "www.evil.example",
    "eve\nCRITICAL: the site is down\r\nBcc: all@example.com",
    "\x1b[2J\x1b]8;;https://evil.example\x07x",
    "user\u202ednif",
    "{{ 7 * 7 }}{% raw %}",
    "`code` *bold* ~gone~ \\",
    "&lt;!here&gt;",
]


def disguised(name: str) -> Alert:
    """An alert in which every name is this one."""
    return replace(
        ESCALATION,
        sentence=f"{name} gave {name} the role {name}",
        actor=name,
        whom=name,
        entity=name,
        workspace_username=name,
        group_key=name,
        reason="Why.",
    )


@pytest.mark.parametrize("name", EVIL)
@pytest.mark.parametrize("many", [False, True])
def test_names_forge_nothing(name: str, many: bool) -> None:
    """No name makes a link, a mention, a tag, a line or an escape in any form."""
    plain = disguised("eve")
    for form in ("md", "txt", "html"):
        kind: MessageKind = "folded" if many else "alert"
        harmless = render(message(plain, kind=kind), form)
        text = render(message(disguised(name), kind=kind), form)
        assert len(text.splitlines()) == len(harmless.splitlines())
        assert "://evil" not in text
        assert "www.evil" not in text
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "49" not in text.replace("-", "")[:200]
        if form == "html":
            assert Page(text).tags == Page(harmless).tags
            assert Page(text).links == Page(harmless).links
        if form == "md":
            assert text.count("](<") == harmless.count("](<")
            assert text.count("<") == harmless.count("<")
            assert "`" not in text
            assert " @channel" not in text
            assert "[reset]" not in text
    for line in (title(message(disguised(name))), alert_line(disguised(name), 1)):
        assert len(line.splitlines()) == 1
        assert "\x1b" not in line


def test_slack_sends_no_mention_and_only_our_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Apprise makes of a hostile message for Slack holds our two links and nothing else."""
    import json
    import re

    import apprise
    import requests

    posted: list[str] = []

    def request(method: str, url: str, data: str, **_: object) -> requests.Response:
        posted.append(json.dumps(json.loads(data), ensure_ascii=False))
        answer = requests.Response()
        answer.status_code = 200
        answer._content = b"ok"
        return answer

    # Slack's address cannot be changed: the request is caught where it would leave.
    monkeypatch.setattr(requests, "request", request)
    service = apprise.Apprise()
    service.add("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general")
    # Apprise sends no more than one message a second to Slack: all names in one.
    names = " and ".join(EVIL)
    shown = message(replace(disguised(names), link="https://audit.example/alerts/1"))
    assert service.notify(body=render(shown, "md"), title=title(shown), body_format="markdown")
    assert posted
    for text in posted:
        links = set(re.findall(r"<[^>]*>", text))
        assert links == {
            "<https://runbooks.example/role-escalation|runbook>",
            "<https://audit.example/alerts/1|alert in the explorer>",
        }


def test_link_that_could_break_out_is_left_out() -> None:
    """A runbook that is no plain web address is shown as text, not as a link."""
    for runbook in ("javascript:alert(1)", 'https://x.example/"onclick="x', "https://x> <!here>"):
        text = render(message(replace(ESCALATION, runbook=runbook, link=None)), "html")
        assert Page(text).links == []
        assert "](<" not in render(message(replace(ESCALATION, runbook=runbook)), "md")
