"""The pages in a real browser: one browser and one endpoint for a module.

A fixture of the session would keep Playwright's event loop running under asynchronous tests of
other modules.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from auditstream import AuditLog
from auditstream.api.app import make_api
from auditstream.api.issue import Issued
from auditstream.settings import Settings
from auditstream.store.connection import Store
from tests.api.serving import serving


@pytest.fixture(scope="module", params=["embedded"])
def url(request: pytest.FixtureRequest) -> str:
    """The embedded ClickHouse alone: a page does not depend on it."""
    address: str = request.getfixturevalue("embedded_clickhouse").url
    return address


@pytest.fixture(scope="module")
def chromium() -> str:
    """Where Debian's Chromium is; in CI it has to be there."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        reason = "no Chromium here: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """A headless Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def site(settings: Settings, store: Store, audit: AuditLog) -> Iterator[str]:
    """The address of an endpoint over the events of `store`."""
    with serving(make_api(settings, audit=audit)) as address:
        yield address


@pytest.fixture(scope="module")
def signed_in(browser: Browser, site: str, issued: Issued) -> Iterator[Page]:
    """A page of one who has signed in; what the browser complains about fails the module."""
    context = browser.new_context(base_url=site, viewport={"width": 1280, "height": 900})
    context.set_default_timeout(10_000)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: _note(message.text, complaints))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: _own(request.url, site, complaints))
    sign_in(page, issued)
    yield page
    context.close()
    assert not complaints


def sign_in(page: Page, issued: Issued) -> None:
    """Fill in the sign-in form."""
    page.goto("/sign-in")
    page.get_by_label("Token").fill(issued.token.token_id)
    page.get_by_label("Secret").fill(issued.secret)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/log")


def _note(text: str, complaints: list[str]) -> None:
    # A page of a refusal is one with its status.
    if "Failed to load resource" not in text:
        complaints.append(text)


def _own(url: str, site: str, complaints: list[str]) -> None:
    if not url.startswith((site, "data:")):
        complaints.append(f"asked another host: {url}")
