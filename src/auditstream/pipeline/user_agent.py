"""Family and operating system of user agents."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import polars as pl
import ua_parser

MAX_CHARACTERS: Final = 512
"""Characters of a user agent that are looked at; what follows does not tell the family."""


def user_agents(texts: pl.Series) -> pl.DataFrame:
    """Describe each distinct user agent: columns as `texts`, user_agent_family, user_agent_os."""
    distinct = texts.unique().drop_nulls()
    rows = [_describe(text[:MAX_CHARACTERS]) for text in distinct.to_list()]
    return pl.DataFrame(
        {
            texts.name: distinct,
            "user_agent_family": pl.Series([family for family, _ in rows], dtype=pl.String),
            "user_agent_os": pl.Series([system for _, system in rows], dtype=pl.String),
        }
    )


@lru_cache(maxsize=16_384)
def _describe(text: str) -> tuple[str, str]:
    agent, system = ua_parser.parse_user_agent(text), ua_parser.parse_os(text)
    return agent.family if agent else "", system.family if system else ""
