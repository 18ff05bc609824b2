"""Every page, in light and dark: axe finds nothing serious. A new page is added to PAGES."""

from __future__ import annotations

from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

PAGES = ("/log", "/log?severity=high&actor=nobody", "/sign-in", "/nowhere")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_everybody_can_use_it(signed_in: Page, path: str, scheme: Literal["light", "dark"]) -> None:
    """Axe finds neither serious nor critical violations, and there is one heading of level 1."""
    signed_in.emulate_media(color_scheme=scheme)
    signed_in.goto(path)
    found = Axe().run(signed_in).response["violations"]
    grave = [
        (item["id"], [node["html"] for node in item["nodes"]])
        for item in found
        if item["impact"] in ("serious", "critical")
    ]
    assert not grave
    assert signed_in.locator("h1").count() == 1
