from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from rich.console import Console

from auditstream.alerts.console import alert_line, print_alert
from auditstream.alerts.neutral import printable
from auditstream.contract.alert import Alert
from tests.alerts.samples import ESCALATION, OCCURRED, alert

LINE = (
    "HIGH  2026-03-14 02:13:41 UTC  ada.khan changed the role of leo.park in workspace harbour "
    "from member to admin.  why: An admin can read everything and give access to anyone.  "
    "runbook: https://runbooks.example/role-escalation  "
    "alert: 0f6f4a8e-8a52-5f0c-9d3e-1d2b6f1f2a01"
)
BLOCK = """\
 HIGH          ada.khan changed the role of leo.park in workspace harbour from member to admin.
               2026-03-14 02:13:41 UTC, alert 0f6f4a8e-8a52-5f0c-9d3e-1d2b6f1f2a01
               An admin can read everything and give access to anyone.
               Runbook: https://runbooks.example/role-escalation
"""


def printed(shown: Alert, *, terminal: bool, width: int = 120) -> str:
    file = StringIO()
    print_alert(
        Console(file=file, force_terminal=terminal, width=width, color_system=None),
        shown,
        shown.event_count,
    )
    return "\n".join(line.rstrip() for line in file.getvalue().split("\n"))


def test_pipe_gets_one_line() -> None:
    """In a pipe an alert is one line, however narrow the console thinks it is."""
    assert printed(ESCALATION, terminal=False, width=40) == LINE + "\n"


def test_terminal_gets_a_block() -> None:
    """On a terminal an alert is a block that begins with level and sentence."""
    assert printed(ESCALATION, terminal=True) == BLOCK


def test_what_is_missing_is_left_out() -> None:
    """Without a reason and a runbook nothing stands in their place."""
    line = alert_line(alert(1, reason="", runbook=None), 1)
    assert line == (
        "HIGH  2026-03-14 02:13:41 UTC  ada.khan changed the role of leo.park in workspace "
        "harbour from member to admin.  alert: 0f6f4a8e-8a52-5f0c-9d3e-000000000001"
    )


@pytest.mark.parametrize(
    ("delay", "told"),
    [
        (timedelta(minutes=4), "UTC  ada"),
        (timedelta(minutes=5), "UTC (noticed 5 min later)"),
        (timedelta(hours=3), "UTC (noticed 3 h later)"),
        (timedelta(days=4), "UTC (noticed 4 days later)"),
    ],
)
def test_late_alerts_say_so(delay: timedelta, told: str) -> None:
    """An alert about something long past says how long."""
    assert told in alert_line(alert(1, detected_at=OCCURRED + delay), 1)


def test_count_of_events_is_told() -> None:
    """An alert that stands for several events says how many."""
    assert "from member to admin (7 times)." in alert_line(alert(1), 7)


@pytest.mark.parametrize("terminal", [True, False])
def test_names_cannot_forge_lines_or_move_the_cursor(terminal: bool) -> None:
    """Line breaks, escapes and bidirectional overrides in a name are shown as such."""
    shown = printed(
        alert(1, sentence="eve\n\x1b[2Jadmin\u202e did [red]it[/red]"), terminal=terminal
    )
    assert "eve\ufffd\ufffd[2Jadmin\ufffd did [red]it[/red]." in shown


def test_text_of_every_language_is_kept() -> None:
    """Letters, accents and emoji are left alone."""
    assert printable("Zoë Müller 王芳 🔥") == "Zoë Müller 王芳 🔥"
