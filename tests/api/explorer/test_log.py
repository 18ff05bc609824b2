"""The log page in a real browser."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from auditstream.store.append import append_events
from auditstream.store.connection import Store
from auditstream.store.watermark import read_watermark
from tests.store.rows import STREAM, event_rows

LATER = datetime(2025, 3, 5, 9, tzinfo=UTC)
FROM = "2025-03-03T08:00:02"


def shown(page: Page) -> list[str]:
    """Return the ids of the events on the page, in order."""
    found: list[str] = page.locator(".entry").evaluate_all(
        "entries => entries.map(entry => entry.dataset.id)"
    )
    return found


def stored(store: Store, condition: str = "1") -> list[str]:
    """Return the ids that the page should show, the newest first."""
    frame = store.query_frame(
        f"SELECT toString(event_id) AS id FROM {store.database}.events WHERE workspace_id = "
        f"'{0:016x}' AND {condition} ORDER BY occurred_at DESC, event_id DESC"
    )
    return frame["id"].to_list()


def test_pages_show_every_event_once(signed_in: Page, store: Store) -> None:
    """From the newest to the oldest by its links."""
    signed_in.goto("/log")
    seen = shown(signed_in)
    older = signed_in.get_by_role("link", name="Older")
    while older.count():
        signed_in.goto(older.get_attribute("href") or "")
        seen += shown(signed_in)
    assert seen == stored(store)


def test_filters_are_a_url(signed_in: Page, store: Store) -> None:
    """The form leads to a URL with what was filled in alone, which shows the same again."""
    signed_in.goto("/log")
    signed_in.get_by_label("Category").select_option("user_groups")
    signed_in.get_by_label("Severity").select_option("low")
    signed_in.get_by_label("From (UTC)").fill(FROM)
    signed_in.get_by_role("button", name="Show", exact=True).click()
    signed_in.wait_for_url("**severity=low**")
    assert parse_qs(urlsplit(signed_in.url).query) == {
        "category": ["user_groups"],
        "severity": ["low"],
        "since": [FROM],
    }
    wanted = stored(
        store,
        "category = 'user_groups' AND severity >= 'low' AND occurred_at >= '2025-03-03 08:00:02'",
    )
    assert wanted
    assert shown(signed_in) == wanted[:50]
    signed_in.reload()
    expect(signed_in.get_by_label("Category")).to_have_value("user_groups")
    expect(signed_in.get_by_label("From (UTC)")).to_have_value(FROM)
    assert shown(signed_in) == wanted[:50]


@pytest.mark.parametrize(
    ("question", "condition"),
    [
        ("Roles and memberships", "(category = 'user_membership' OR action LIKE 'group_member%')"),
        (
            "Groups, collections, connections",
            "category IN ('user_groups', 'workspace_collections', 'workspace_connections')",
        ),
        (
            "Access and permissions",
            "match(action, 'access_changed$|^(collection|connection)_(member|group)_')",
        ),
    ],
)
def test_a_question_is_one_click(
    signed_in: Page, store: Store, question: str, condition: str
) -> None:
    """The three questions of a reviewer."""
    signed_in.goto("/log")
    signed_in.get_by_role("link", name=question).click()
    expect(signed_in.get_by_role("link", name=question)).to_have_attribute("aria-current", "true")
    assert shown(signed_in) == stored(store, condition)[:50]


def test_range_by_mouse(signed_in: Page) -> None:
    """Dragging over bars leaves the events of their time."""
    signed_in.goto("/log")
    bars = signed_in.locator(".bar")
    first, last = bars.nth(1), bars.nth(3)
    since, until = first.get_attribute("data-since"), last.get_attribute("data-until")
    start, end = first.bounding_box(), last.bounding_box()
    assert start
    assert end
    signed_in.mouse.move(start["x"] + start["width"] / 2, start["y"] + 20)
    signed_in.mouse.down()
    signed_in.mouse.move(end["x"] + end["width"] / 2, end["y"] + 20)
    signed_in.mouse.up()
    signed_in.wait_for_url("**since=**")
    assert parse_qs(urlsplit(signed_in.url).query) == {"since": [since], "until": [until]}


def test_range_by_keyboard(signed_in: Page) -> None:
    """The handles take arrow keys, say where they are, and Enter shows the range."""
    signed_in.goto("/log")
    since = signed_in.locator(".bar").nth(2).get_attribute("data-since")
    handle = signed_in.get_by_label("First step of the range")
    handle.press("ArrowRight")
    handle.press("ArrowRight")
    label = signed_in.locator(".bar").nth(2).get_attribute("data-label")
    expect(handle).to_have_attribute("aria-valuetext", label or "")
    handle.press("Enter")
    signed_in.wait_for_url("**since=**")
    assert parse_qs(urlsplit(signed_in.url).query)["since"] == [since]


def test_histogram_counts_every_event(signed_in: Page, store: Store) -> None:
    """The bars add up to the number that the page tells."""
    signed_in.goto("/log")
    labels = signed_in.locator(".bar").evaluate_all("bars => bars.map(bar => bar.dataset.label)")
    counts = [int(label.split(": ")[1].split(" ")[0].replace(",", "")) for label in labels]
    assert sum(counts) == len(stored(store))
    expect(signed_in.locator("#total")).to_contain_text(f"{sum(counts)} events")


def test_export_has_the_same_filters(signed_in: Page, store: Store) -> None:
    """The file holds what the page is about, not only what it shows."""
    signed_in.goto("/log?category=user_groups")
    signed_in.get_by_text("Export").click()
    with signed_in.expect_download() as download:
        signed_in.get_by_role("link", name="JSON lines").click()
    lines = download.value.path().read_text().splitlines()
    ids = {json.loads(line)["event_id"] for line in lines}
    assert ids == set(stored(store, "category = 'user_groups'"))


def test_hostile_text_is_text(signed_in: Page) -> None:
    """What is written into a filter comes back as text."""
    signed_in.goto("/log?actor=%22%3E%3Cscript%3Ealert(1)%3C/script%3E&text=%7B%7B7*7%7D%7D")
    expect(signed_in.get_by_label("Actor")).to_have_value('"><script>alert(1)</script>')
    expect(signed_in.get_by_label("Text")).to_have_value("{{7*7}}")


@pytest.mark.parametrize("wrong", ["since=yesterday", "ip=here", "cursor=AAAA", "colour=red"])
def test_wrong_filter_is_told(signed_in: Page, wrong: str) -> None:
    """400, as a page that names the parameter; nothing more is shown than was asked for."""
    answer = signed_in.goto(f"/log?{wrong}")
    assert answer
    assert answer.status == 400
    expect(signed_in.locator("main")).to_contain_text(wrong.split("=")[0])


def test_theme_is_kept(signed_in: Page) -> None:
    """The button changes light to dark, on the next page too."""
    signed_in.emulate_media(color_scheme="light")
    signed_in.goto("/log")
    ground = "getComputedStyle(document.body).backgroundColor"
    before = signed_in.evaluate(ground)
    signed_in.get_by_label("Change between light and dark").click()
    signed_in.goto("/log")
    assert signed_in.evaluate(ground) != before
    signed_in.evaluate("localStorage.clear()")


def test_events_come_in_live(signed_in: Page, store: Store) -> None:
    """What is stored while the page is open stands on top, and is announced; once."""
    signed_in.goto("/log")
    expect(signed_in.locator("#live.open")).to_be_visible()
    frame = event_rows(3, partition=5, seed=77, workspaces=1, start=LATER)
    assert read_watermark(store, STREAM, 5) is None
    append_events(store, STREAM, 5, None, frame, threading.Event())
    newest = stored(store)[:3]
    expect(signed_in.locator(".entry.new")).to_have_count(3)
    assert shown(signed_in)[:3] == newest
    expect(signed_in.get_by_role("status")).to_have_text("3 new events")
    signed_in.get_by_role("button", name="Live").click()
    expect(signed_in.locator("#live")).to_have_attribute("aria-pressed", "false")
