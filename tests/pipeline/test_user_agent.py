"""Family and operating system of user agents."""

from __future__ import annotations

import polars as pl

from auditstream.pipeline.user_agent import user_agents
from tests.pipeline.events import BROWSER


def test_families() -> None:
    """Each distinct user agent is described once; what is not known is empty."""
    texts = [BROWSER.format(120), "curl/8.1.2", None, "curl/8.1.2", "something else"]
    found = user_agents(pl.Series("agent", texts)).sort("agent")
    assert found.rows() == [
        (BROWSER.format(120), "Chrome", "Windows"),
        ("curl/8.1.2", "curl", ""),
        ("something else", "", ""),
    ]


def test_none() -> None:
    """No user agent gives no row."""
    assert user_agents(pl.Series("agent", [None], dtype=pl.String)).rows() == []
