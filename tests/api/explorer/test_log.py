"""The log page in a real browser."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

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


def test_every_filter_is_in_the_url_and_comes_back(signed_in: Page) -> None:
    """Whoever gets the URL sees the form as it was filled in, and the same events."""
    values = {
        "text": "user",
        "actor": "user_1",
        "entity": "nothing",
        "ip": "203.0.113.9",
        "category": "user_groups",
        "action": "group_created",
        "severity": "medium",
        "since": FROM,
        "until": "2025-03-04T08:00:07",
    }
    signed_in.goto("/log?outcome=success")
    for name, value in values.items():
        field = signed_in.locator(f"#filters [name={name}]")
        if name in ("category", "action", "severity"):
            field.select_option(value)
        else:
            field.fill(value)
    signed_in.get_by_role("button", name="Show", exact=True).click()
    signed_in.wait_for_url("**text=user**")
    shared = signed_in.url
    told = {name: [value] for name, value in values.items()}
    assert parse_qs(urlsplit(shared).query) == {"outcome": ["success"], **told}
    signed_in.goto("/log")
    signed_in.goto(shared)
    for name, value in {**values, "outcome": "success"}.items():
        expect(signed_in.locator(f"#filters [name={name}]")).to_have_value(value)


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


def test_page_is_walked_by_keyboard_alone(signed_in: Page) -> None:
    """The skip link, then all controls in the order of the page, each to be seen when it is on."""
    signed_in.goto("/log")
    signed_in.keyboard.press("Tab")
    assert focused(signed_in) == "Skip to the content"
    signed_in.keyboard.press("Enter")
    assert signed_in.evaluate("document.activeElement.id") == "content"
    wanted = [
        *("Live", "Export", "Everything", "text", "category", "since", "Show", "from", "to"),
        "sentence",
    ]
    for _ in range(40):
        signed_in.keyboard.press("Tab")
        outline = signed_in.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", focused(signed_in)
        if focused(signed_in) == wanted[0]:
            wanted.pop(0)
        if wanted == ["sentence"] and signed_in.evaluate(
            "document.activeElement.closest('.sentence') !== null"
        ):
            break
    else:
        pytest.fail(f"never reached: {wanted}")
    signed_in.keyboard.press("Enter")
    signed_in.wait_for_url("**/events/*")


def focused(page: Page) -> str:
    """Return the name of the field that has the focus, else its id or its words."""
    told: str = page.evaluate(
        "(() => { const on = document.activeElement;"
        " return on.name || (on.type === 'range' ? on.id : on.textContent.trim()); })()"
    )
    return told


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
    add(store, 0, 3)
    newest = stored(store)[:3]
    expect(signed_in.locator(".entry.new")).to_have_count(3)
    assert shown(signed_in)[:3] == newest
    expect(signed_in.get_by_role("status")).to_have_text("3 new events")
    signed_in.get_by_role("button", name="Live").click()
    expect(signed_in.locator("#live")).to_have_attribute("aria-pressed", "false")


def test_nothing_is_lost_between_the_page_and_its_stream(signed_in: Page, store: Store) -> None:
    """The stream goes on after what the page has shown, however late it is opened."""

    def late(route: Route) -> None:
        add(store, 3, 2)
        route.continue_()

    signed_in.route("**/static/log.js*", late)
    try:
        signed_in.goto("/log")
        expect(signed_in.locator(".entry.new")).to_have_count(2)
    finally:
        signed_in.unroute("**/static/log.js*")
    assert shown(signed_in)[:2] == stored(store)[:2]


def test_a_tab_that_slept_catches_up(signed_in: Page, store: Store) -> None:
    """Frozen by the browser, without a network, refused by a proxy, or paused: nothing is lost."""
    signed_in.goto("/log")
    expect(signed_in.locator("#live.open")).to_be_visible()
    session = signed_in.context.new_cdp_session(signed_in)
    session.send("Page.setWebLifecycleState", {"state": "frozen"})
    add(store, 5, 2)
    session.send("Page.setWebLifecycleState", {"state": "active"})
    expect(signed_in.locator(".entry.new")).to_have_count(2)

    # A proxy answers in the place of the stream, so that the browser gives up.
    answers = iter([502])
    signed_in.route("**/log/stream*", lambda route: refuse_first(route, answers))
    live = signed_in.get_by_role("button", name="Live")
    live.click()
    add(store, 7, 2)
    live.click()
    expect(signed_in.locator(".entry.new")).to_have_count(4)
    expect(signed_in.locator("#live.open")).to_be_visible()
    signed_in.unroute("**/log/stream*")
    assert shown(signed_in)[:4] == stored(store)[:4]


def refuse_first(route: Route, answers: Iterator[int]) -> None:
    """Answer with the statuses, then let requests through."""
    status = next(answers, None)
    if status is None:
        route.continue_()
    else:
        route.fulfill(status=status, body="away")


def add(store: Store, first: int, count: int) -> None:
    """Store events of workspace 0, in a partition of their own, later than all others."""
    start = LATER + timedelta(minutes=first)
    frame = event_rows(count, partition=5, first=first, seed=77 + first, workspaces=1, start=start)
    append_events(store, STREAM, 5, read_watermark(store, STREAM, 5), frame, threading.Event())
