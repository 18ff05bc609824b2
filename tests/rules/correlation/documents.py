"""Rules over several events as documents of rule files, and as the program reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from auditstream.rules.correlation.link import Linked, link
from auditstream.rules.correlation.model import CompoundRule, Path
from auditstream.rules.correlation.parse import parse_compound

FIELDS = frozenset(
    {
        "action",
        "actor_id",
        "actor_ip",
        "country",
        "entity_id",
        "group_id",
        "member_id",
        "role",
        "source_service",
        "workspace_id",
    }
)
ORIGIN = "rules/some.yml"


def parse(text: str) -> CompoundRule:
    """Read a document from YAML."""
    return parse_compound(yaml.safe_load(text), ORIGIN, lines(text), FIELDS)


def lines(text: str) -> dict[Path, int]:
    """Return the line of each part of a document."""
    found: dict[Path, int] = {}

    def visit(node: yaml.Node, path: Path) -> None:
        found.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                found[(*path, key.value)] = key.start_mark.line + 1
                visit(value, (*path, key.value))
        elif isinstance(node, yaml.SequenceNode):
            for number, item in enumerate(node.value):
                visit(item, (*path, number))

    root = yaml.compose(text, yaml.SafeLoader)
    assert root is not None
    visit(root, ())
    return found


def correlation(name: str, window: str = "1h", **section: Any) -> CompoundRule:
    """Return a correlation; `group_by` stands for group-by."""
    if "group_by" in section:
        section["group-by"] = section.pop("group_by")
    own = {"window": window}
    return made({"title": name, "name": name, "correlation": section, "auditstream": own})


def extension(name: str, kind: str, window: str | None = None, **section: Any) -> CompoundRule:
    """Return a rule that is one of our extensions; underscores of keys stand for hyphens."""
    own: dict[str, Any] = {kind: {key.replace("_", "-"): value for key, value in section.items()}}
    if window is not None:
        own["window"] = window
    return made({"title": name, "name": name, "auditstream": own})


def made(content: Mapping[str, Any]) -> CompoundRule:
    """Read a document without lines."""
    return parse_compound(content, ORIGIN, {}, FIELDS)


def linked(rules: Sequence[CompoundRule], names: Sequence[str]) -> Linked:
    """Link rules that have nothing wrong."""
    result = link(rules, {name: name for name in names})
    assert not result.problems
    return result
