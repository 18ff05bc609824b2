"""Names, addresses and programs of the story. Public addresses are those for documentation."""

from __future__ import annotations

from importlib.resources import files
from typing import Any, Final

import yaml

_TEXT: Final = files(__package__).joinpath("names.yaml").read_text(encoding="utf-8")
_POOLS: Final[dict[str, list[Any]]] = yaml.safe_load(_TEXT)

FIRST_NAMES: Final[list[str]] = _POOLS["first_names"]
LAST_NAMES: Final[list[str]] = _POOLS["last_names"]
WORKSPACES: Final[list[tuple[str, str]]] = [(name, short) for name, short in _POOLS["workspaces"]]
GROUPS: Final[list[str]] = _POOLS["groups"]
COLLECTIONS: Final[list[str]] = _POOLS["collections"]
CONNECTIONS: Final[list[str]] = _POOLS["connections"]
USER_AGENTS: Final[list[str]] = _POOLS["user_agents"]
REASONS: Final[list[str]] = _POOLS["reasons"]
DENIALS: Final[list[str]] = _POOLS["denials"]
PROVISIONING_AGENT: Final = "scim-provisioner/3.4"
EXPORT_AGENT: Final = "python-requests/2.32.3"
NIGHT_AGENT: Final = "curl/8.11.0"
NIGHT_ADDRESS: Final = "2001:db8:bad:cafe::17"


def addresses(number: int) -> tuple[str, ...]:
    """Return the addresses a person works from: the office, at home, the internal network."""
    net = ("198.51.100", "203.0.113", "192.0.2")[number % 3]
    home = f"2001:db8:{number % 9000 + 16:x}::{number % 250 + 2:x}"
    return f"{net}.{number % 250 + 2}", home, f"10.20.{number % 30}.{number % 250 + 2}"
