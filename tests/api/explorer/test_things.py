"""Pages of one thing, on a story: events, alerts, questions, people, things, completeness."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from starlette.testclient import TestClient

from auditstream import AuditLog
from auditstream.alerts.life_cycle import show_alert
from auditstream.api.app import make_api
from auditstream.api.issue import Issued, create_token
from auditstream.publish.envelope import Envelope
from auditstream.settings import Settings
from auditstream.store.connection import Store, connect
from auditstream.store.tokens import SCOPES
from tests.api.conftest import CHEAP
from tests.api.explorer.story import Told, tell
from tests.api.explorer.test_sign_in import HTTPS, csrf_of
from tests.api.explorer.test_sign_in import sign_in as enter

PAGES = (
    *("event", "alerts", "alert", "questions", "question", "person", "connection"),
    *("completeness", "rejects", "reject", "busy group", "access"),
)


@pytest.fixture(scope="module")
def store(settings: Settings) -> Iterator[Store]:
    """The tables with a story."""
    with connect(settings) as store:
        yield store


@pytest.fixture(scope="module")
def told(store: Store) -> Told:
    """The story."""
    return tell(store)


def token_of(store: Store, workspace: str, scopes: tuple[str, ...] = SCOPES) -> Issued:
    """Return a new token of a workspace."""
    return create_token(
        store,
        workspace_id=workspace,
        workspace_username="harbour",
        name="reviewer",
        scopes=scopes,
        by="tester@here",
        now=datetime.now(UTC),
        hasher=CHEAP,
    )


@pytest.fixture(scope="module")
def issued(store: Store, told: Told) -> Issued:
    """A token of the workspace of the story."""
    return token_of(store, told.workspace_id)


def most(frame: pl.DataFrame, column: str) -> str:
    """Return the value of a column that is there most often."""
    values = frame[column].drop_nulls().cast(pl.String).value_counts(sort=True)
    return str(values[column][0])


@pytest.fixture(scope="module")
def paths(told: Told, store: Store) -> dict[str, str]:
    """The address of a page of each kind, about what the story tells most of."""
    events = told.events
    connections = events.filter(pl.col("category").cast(pl.String) == "workspace_connections")
    changed = events.filter(pl.col("previous_role").is_not_null())
    thing = most(connections, "entity_id")
    return {
        "event": f"/events/{changed['event_id'][0]}",
        "alerts": "/alerts",
        "alert": f"/alerts/{alert_of(store, told)}",
        "questions": "/questions",
        "question": f"/questions/who_could_use?thing={thing}",
        "person": f"/actor?id={most(events, 'member_id')}",
        "group": f"/entity?id={most(events, 'group_id')}",
        "busy group": f"/entity?id={busy_group(store, told)}",
        "connection": f"/entity?id={thing}",
        "access": f"/actor/access?id={most(events, 'member_id')}",
        "completeness": "/completeness",
        "rejects": "/rejects",
        "reject": f"/rejects/{reject_of(store, told)}",
    }


def busy_group(store: Store, told: Told) -> str:
    """Return the id of the group through which most is reached now."""
    found = store.query_frame(
        f"SELECT through FROM {store.database}.effective_access WHERE workspace_id = "
        "{workspace:String} AND through_name IS NOT NULL AND valid_until IS NULL "
        "GROUP BY through ORDER BY count() DESC, through LIMIT 1",
        {"workspace": told.workspace_id},
    )
    return str(found.item())


def reject_of(store: Store, told: Told, reason: str = "unknown_role") -> str:
    """Return the position of a rejected record of the story's workspace."""
    found = store.query_frame(
        f"SELECT position FROM {store.database}.rejects WHERE workspace_id = {{workspace:String}} "
        "AND reason = {reason:String}",
        {"workspace": told.workspace_id, "reason": reason},
    )
    return str(found.item())


def alert_of(store: Store, told: Told) -> str:
    """Return the id of an alert of the story's workspace."""
    found = store.query_frame(
        f"SELECT toString(min(alert_id)) FROM {store.database}.alerts "
        "WHERE workspace_id = {workspace:String}",
        {"workspace": told.workspace_id},
    )
    return str(found.item())


@pytest.fixture
def visitor(
    settings: Settings, store: Store, told: Told, issued: Issued, audit: AuditLog
) -> Iterator[TestClient]:
    """A client that has signed in to the workspace of the story."""
    assert told
    app = make_api(settings, audit=audit)
    with TestClient(app, base_url=HTTPS, follow_redirects=False) as client:
        enter(client, issued)
        yield client


@pytest.fixture
def stranger(settings: Settings, store: Store, audit: AuditLog) -> Iterator[TestClient]:
    """A client that has signed in to a workspace without events."""
    app = make_api(settings, audit=audit)
    with TestClient(app, base_url=HTTPS, follow_redirects=False) as client:
        enter(client, token_of(store, "another"))
        yield client


def test_everybody_can_use_them(signed_in: Page, paths: dict[str, str]) -> None:
    """Axe finds neither serious nor critical violations; in the dark, its colours are looked at."""
    for name in PAGES:
        signed_in.emulate_media(color_scheme="light")
        answer = signed_in.goto(paths[name])
        assert answer
        assert answer.status == 200, name
        expect(signed_in.locator("[aria-busy=true]")).to_have_count(0)
        found = Axe().run(signed_in).response["violations"]
        signed_in.emulate_media(color_scheme="dark")
        colours = Axe().run(signed_in, options={"runOnly": ["color-contrast"]})
        found += colours.response["violations"]
        grave = [
            (name, item["id"], [node["html"] for node in item["nodes"]])
            for item in found
            if item["impact"] in ("serious", "critical")
        ]
        assert not grave
        assert signed_in.locator("h1").count() == 1


def test_event_tells_before_and_after(signed_in: Page, paths: dict[str, str], told: Told) -> None:
    """And every field with its meaning, and the place in Kafka."""
    signed_in.goto(paths["event"])
    event = told.events.filter(pl.col("previous_role").is_not_null()).row(0, named=True)
    expect(signed_in.locator("h1")).to_have_text(event["sentence"])
    change = signed_in.get_by_role("group", name="Before and after")
    expect(change).to_contain_text(str(event["previous_role"]))
    fields = dict(
        zip(
            signed_in.locator("dt").all_inner_texts(),
            signed_in.locator("dd").all_inner_texts(),
            strict=True,
        )
    )
    assert fields["kafka_offset"].startswith(str(event["kafka_offset"]))
    assert "Kafka offset of the record" in fields["kafka_offset"]
    signed_in.get_by_role("link", name="Who: ").click()
    expect(signed_in.locator("h1")).to_have_text(str(event["actor_username"]))


def test_alert_and_event_lead_to_each_other(
    signed_in: Page, paths: dict[str, str], store: Store, told: Told
) -> None:
    """The alert shows its evidence as sentences and the runbook filled in; the event names it."""
    signed_in.goto(paths["alert"])
    alert = show_alert(store, alert_of(store, told)).alert
    evidence = signed_in.locator("#evidence .entry")
    expect(evidence).to_have_count(len(alert.evidence))
    expect(signed_in.locator("#runbook")).to_contain_text(f"'{told.workspace_id}'")
    expect(signed_in.locator("#runbook")).not_to_contain_text("<occurred_at>")
    signed_in.get_by_text("Places in Kafka").click()
    places = signed_in.get_by_role("group", name="Places in Kafka")
    expect(places).to_contain_text(str(alert.evidence[0].offset))
    evidence.first.get_by_role("link").first.click()
    signed_in.wait_for_url("**/events/*")
    named = signed_in.locator("#alerts .entry").filter(has_text=alert.sentence)
    named.get_by_role("link").click()
    signed_in.wait_for_url(f"**/alerts/{alert.alert_id}")


def test_alert_is_acknowledged_on_its_page(
    signed_in: Page, paths: dict[str, str], store: Store, told: Told
) -> None:
    """With a reason, by the token; then it may be resolved, or opened again."""
    signed_in.goto(paths["alert"])
    signed_in.get_by_label("Reason").fill("looking <b>into</b> it")
    signed_in.get_by_role("button", name="Acknowledge").click()
    expect(signed_in.locator(".history")).to_contain_text("looking <b>into</b> it")
    expect(signed_in.get_by_role("button", name="Acknowledge")).to_have_count(0)
    story = show_alert(store, alert_of(store, told))
    assert (story.state.state, story.state.state_by[:8]) == ("acknowledged", "reviewer")
    signed_in.goto("/alerts?state=acknowledged")
    expect(signed_in.locator(".entry")).to_have_count(1)


def test_alerts_are_filtered_by_url(signed_in: Page, store: Store, told: Told) -> None:
    """By level, rule, actor and time: what the form asks for is a URL, which shows the same."""
    rows = store.query_frame(
        "SELECT toString(alert_id) AS id, rule_id, toString(level) AS level, actor, "
        f"toString(occurred_at) AS at FROM {store.database}.alerts WHERE workspace_id = "
        "{workspace:String} ORDER BY occurred_at DESC, alert_id DESC",
        {"workspace": told.workspace_id},
    )
    rule = rows["rule_id"].value_counts(sort=True)["rule_id"][0]
    middle = rows["at"][rows.height // 2]

    def shown() -> list[str]:
        links = signed_in.locator(".entry .sentence a")
        return [
            str(link) for link in links.evaluate_all("all => all.map(a => a.pathname.slice(8))")
        ]

    signed_in.goto("/alerts?state=all")
    assert shown() == rows["id"].to_list()
    signed_in.get_by_label("Rule").select_option(rule)
    signed_in.get_by_label("Before (UTC)").fill(middle[:19].replace(" ", "T"))
    signed_in.get_by_role("button", name="Show", exact=True).click()
    signed_in.wait_for_url(f"**rule={rule}**")
    assert "level=" not in signed_in.url
    wanted = rows.filter((pl.col("rule_id") == rule) & (pl.col("at") < middle[:19]))["id"]
    assert shown() == wanted.to_list()
    signed_in.reload()
    expect(signed_in.get_by_label("Rule")).to_have_value(rule)
    assert shown() == wanted.to_list()
    signed_in.get_by_role("link", name="clear").click()
    assert shown() == rows["id"].to_list()
    signed_in.goto("/alerts?state=all&level=high")
    assert shown() == rows.filter(pl.col("level").is_in(["high", "critical"]))["id"].to_list()
    actor = rows["actor"][0]
    signed_in.goto(f"/alerts?state=all&actor={actor}")
    assert shown() == rows.filter(pl.col("actor") == actor)["id"].to_list()


def test_alerts_are_paged(
    signed_in: Page, store: Store, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each once, with the filters, by the links."""
    monkeypatch.setattr("auditstream.api.explorer.alerts.PAGE_ALERTS", 2)
    total = store.query_frame(
        f"SELECT count() FROM {store.database}.alerts WHERE workspace_id = {{workspace:String}} "
        "AND level >= 'medium'",
        {"workspace": told.workspace_id},
    ).item()
    signed_in.goto("/alerts?state=all&level=medium")
    seen: list[str] = []
    while True:
        links = signed_in.locator(".entry .sentence a")
        seen += links.evaluate_all("all => all.map(a => a.pathname)")
        older = signed_in.get_by_role("link", name="Older")
        if not older.count():
            break
        older.click()
        expect(signed_in.get_by_role("link", name="Newest")).to_be_visible()
    assert len(seen) == len(set(seen)) == total > 2


def test_link_from_elsewhere_opens_signed_in(
    browser: Browser, signed_in: Page, site: str, paths: dict[str, str], store: Store, told: Told
) -> None:
    """As of an alert in a chat; what another site posts changes nothing and shows nothing."""
    there = "http://chat.example/"
    context = browser.new_context(storage_state=signed_in.context.storage_state())
    context.set_default_timeout(10_000)
    change = f"{site}{paths['alert']}/resolve"
    context.route(
        f"{there}**",
        lambda route: route.fulfill(
            content_type="text/html",
            body=f'<a href="{site}{paths["alert"]}">look</a><form method="post" action="{change}">'
            '<input name="csrf" value="guess"><button>win</button></form>',
        ),
    )
    before = show_alert(store, alert_of(store, told))
    page = context.new_page()
    page.goto(there)
    page.get_by_role("link", name="look").click()
    expect(page.locator("h1")).to_have_text(before.alert.sentence)
    page.goto(there)
    with page.expect_navigation():
        page.get_by_role("button", name="win").click()
    expect(page.locator("h1")).not_to_have_text(before.alert.sentence)
    assert show_alert(store, alert_of(store, told)).transitions == before.transitions
    context.close()


def test_reject_tells_what_is_wrong(signed_in: Page, paths: dict[str, str], told: Told) -> None:
    """Reason, field, words, its bytes, and how it is replayed; all bytes as a file."""
    signed_in.goto("/rejects?reason=unknown_role")
    signed_in.get_by_role("row", name="unknown_role").get_by_role("link").click()
    signed_in.wait_for_url(f"**{paths['reject']}")
    main = signed_in.locator("main")
    for words in ("unknown_role", "role: 'owner' is not a role here", "auditstream rejects replay"):
        expect(main).to_contain_text(words)
    dump = signed_in.get_by_role("group", name="Bytes in hexadecimal")
    expect(dump).to_contain_text("000000  00 00 00 03 e9")
    with signed_in.expect_download() as download:
        signed_in.get_by_role("link", name="All as a file").click()
    body = download.value.path().read_bytes()
    assert body.startswith(b"\0\0\0\x03\xe9")
    assert told.workspace_id.encode() in body
    assert dump.inner_text().startswith(f"000000  {body[:16].hex(' ')}")


def test_completeness_counts(signed_in: Page, store: Store, told: Told) -> None:
    """Each source with its numbers, what is missing between them, and the rejected records."""
    signed_in.goto("/completeness")
    numbers = told.events["source_sequence"].to_list()
    row = signed_in.get_by_role("group", name="Sources").locator("tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text(f"{min(numbers):,} to {max(numbers):,}")
    last, count = store.query_frame(
        f"SELECT max(source_sequence), count() FROM {store.database}.events"
    ).row(0)
    missing = last - count
    expect(row.locator("td").nth(4)).to_have_text(f"{missing:,}")
    expect(signed_in.locator(".notice")).to_contain_text(f"{missing:,} number")
    rejects = store.query_frame(
        f"SELECT count() FROM {store.database}.rejects WHERE workspace_id = {{workspace:String}}",
        {"workspace": told.workspace_id},
    ).item()
    expect(signed_in.locator(".figures")).to_contain_text(f"{rejects} records")
    expect(signed_in.locator(".figures")).to_contain_text("half within")


@pytest.mark.usefixtures("published")
def test_scopes_hold_on_every_page(
    settings: Settings, store: Store, told: Told, audit: AuditLog, paths: dict[str, str]
) -> None:
    """Who may not see alerts finds none on an event's page, and bytes need the scope export."""
    app = make_api(settings, audit=audit)
    with TestClient(app, base_url=HTTPS, follow_redirects=False) as client:
        enter(client, token_of(store, told.workspace_id, ("read",)))
        evidence = show_alert(store, alert_of(store, told)).alert.evidence[0].event_id
        assert "/alerts/" not in client.get(f"/events/{evidence}").text
        reject = client.get(paths["reject"])
        assert "unknown_role" in reject.text
        assert "000000  00" not in reject.text
        assert client.get(f"{paths['reject']}/value").status_code == 403
        assert client.get(paths["alert"]).status_code == 403
    with TestClient(app, base_url=HTTPS, follow_redirects=False) as client:
        enter(client, token_of(store, told.workspace_id, ("alerts",)))
        alert = client.get(paths["alert"])
        assert alert.status_code == 200
        assert evidence in alert.text
        assert "/events/" not in alert.text


def test_question_is_answered(signed_in: Page, paths: dict[str, str], store: Store) -> None:
    """As the command answers it; what needs an answer first is a form."""
    signed_in.goto(paths["question"].split("?")[0])
    signed_in.get_by_label("thing").fill(paths["question"].split("=")[1])
    signed_in.get_by_role("button", name="Ask").click()
    rows = signed_in.locator("tbody tr")
    expect(rows.first).to_be_visible()
    ways = store.query_frame(
        f"SELECT count() FROM {store.database}.effective_access WHERE entity_id = {{id:String}} "
        "AND valid_until IS NULL",
        {"id": paths["question"].split("=")[1]},
    ).item()
    assert rows.count() == ways


def test_access_is_a_picture_and_a_table(signed_in: Page, paths: dict[str, str]) -> None:
    """Both name the same people, groups and things; the table is there for screen readers."""
    for name in ("person", "busy group", "connection"):
        signed_in.goto(paths[name])
        expect(signed_in.locator("#access")).to_have_attribute("aria-busy", "false")
        drawn = {
            kind: set(signed_in.locator(f".access .box.{kind} + .name").all_text_contents())
            for kind in ("person", "group", "thing")
        }
        signed_in.get_by_text("As a table").press("Enter")
        rows = signed_in.get_by_role("group", name="Table of access").locator("tbody tr")
        told = rows.evaluate_all("rows => rows.map(row => [...row.cells].map(c => c.textContent))")
        assert drawn["thing"] == {cells[2] for cells in told}, name
        assert drawn["group"] == {cells[3] for cells in told} - {"direct", "everyone"}, name
        if name != "person":
            assert drawn["person"] == {
                cells[0].capitalize() if cells[0] == "everyone" else cells[0] for cells in told
            }


def test_access_that_does_not_come_leaves_its_link(signed_in: Page, paths: dict[str, str]) -> None:
    """The rest of the page does not wait for it; the link leads to a page of its own."""
    signed_in.route("**/entity/access*", lambda route: route.abort())
    signed_in.goto(paths["connection"])
    expect(signed_in.locator("#access")).to_have_attribute("aria-busy", "false")
    signed_in.unroute("**/entity/access*")
    signed_in.get_by_role("link", name="Show it").click()
    expect(signed_in.locator(".access .box.thing")).to_have_count(1)
    signed_in.locator("h1").get_by_role("link").click()
    signed_in.wait_for_url(f"**{paths['connection']}")


def test_subject_counts_every_action(signed_in: Page, paths: dict[str, str], told: Told) -> None:
    """Not only the newest: how often, first and last, did and done to them."""
    person = paths["person"].split("=")[1]
    signed_in.goto(paths["person"])
    for title, column in (("What they did", "actor_id"), ("What was done to them", "member_id")):
        events = told.events.filter(pl.col(column).cast(pl.String) == person)
        counted = signed_in.get_by_role("group", name=f"{title}, by action").locator("tbody tr")
        cells = counted.evaluate_all(
            "rows => rows.map(row => [...row.cells].map(c => c.textContent))"
        )
        expected = events.group_by("description").agg(
            pl.len(), pl.col("occurred_at").min().alias("first"), pl.col("occurred_at").max()
        )
        assert {tuple(row) for row in cells} == {
            (str(what), f"{count:,}", f"{first:%Y-%m-%d %H:%M}", f"{last:%Y-%m-%d %H:%M}")
            for what, count, first, last in expected.rows()
        }
    both = told.events.filter(
        (pl.col("actor_id").cast(pl.String) == person)
        | (pl.col("member_id").cast(pl.String) == person)
    )["occurred_at"]
    shown = pl.DataFrame({"at": [both.min(), both.max()]})["at"].dt.strftime("%Y-%m-%d %H:%M")
    assert signed_in.locator(".figures time").all_inner_texts() == shown.to_list()


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize("name", ["event", "alert", "person", "group", "connection", "reject"])
def test_another_workspace_has_no_such_thing(
    stranger: TestClient, paths: dict[str, str], name: str
) -> None:
    """404 for its ids, as for ids that nobody has."""
    answer = stranger.get(paths[name])
    assert answer.status_code == 404
    nobody = "9:99" if name == "reject" else "0" * 8 + "-0000-0000-0000-" + "0" * 12
    nowhere = re.sub(r"(?<=[/=])[^/=]+$", nobody, paths[name])
    assert stranger.get(nowhere).text.split("<main")[1] == answer.text.split("<main")[1]


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize("name", ["alerts", "question", "completeness", "rejects", "access"])
def test_another_workspace_sees_none_of_it(
    stranger: TestClient, paths: dict[str, str], name: str
) -> None:
    """Lists and answers are confined, whatever is asked for."""
    text = stranger.get(paths[name]).text
    assert not re.search("<tbody><tr><t[hd](?! colspan)", text)
    assert "/events/" not in text
    assert "/alerts/" not in text
    if name == "question":
        assert "as far as the log tells" in text
        confined = stranger.get(f"{paths[name]}&workspace=anything")
        assert confined.status_code == 400


@pytest.mark.usefixtures("published")
def test_change_needs_the_form_and_the_workspace(
    visitor: TestClient, stranger: TestClient, paths: dict[str, str], store: Store, told: Told
) -> None:
    """403 without the CSRF token, 404 for an alert of another workspace; nothing changes."""
    before = show_alert(store, alert_of(store, told)).transitions
    change = f"{paths['alert']}/resolve"
    assert visitor.post(change).status_code == 403
    csrf = csrf_of(stranger.get("/alerts"))
    assert stranger.post(change, data={"csrf": csrf}).status_code == 404
    assert visitor.post(change, data={"csrf": csrf}).status_code == 403
    assert show_alert(store, alert_of(store, told)).transitions == before


def test_every_page_is_recorded(
    visitor: TestClient, paths: dict[str, str], published: list[Envelope]
) -> None:
    """Each as an access with its path and how many rows were shown."""
    for name in PAGES:
        assert visitor.get(paths[name]).status_code == 200
    said: list[dict[str, Any]] = [
        {item["key"]: item["value"] for item in event["metadata"]} for event in published
    ]
    assert [item["path"] for item in said] == [paths[name].split("?")[0] for name in PAGES]


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize(
    "path",
    [
        *("/alerts?state=lost", "/alerts?cursor=!", "/alerts?since=soon", "/alerts?colour=red"),
        *("/rejects?reason=none", "/questions/who_could_use?thing=a&limit=many"),
    ],
)
def test_wrong_parameters_are_told(visitor: TestClient, path: str) -> None:
    """400, as a page that names the parameter."""
    answer = visitor.get(path)
    assert answer.status_code == 400
    assert re.search("state|cursor|since|colour|reason|limit", answer.text.split("<main")[1])


@pytest.mark.usefixtures("published")
def test_question_about_all_workspaces_is_not_there(visitor: TestClient) -> None:
    """A question that cannot be confined is neither listed nor answered."""
    assert "missing_events" not in visitor.get("/questions").text
    assert visitor.get("/questions/missing_events").status_code == 404
