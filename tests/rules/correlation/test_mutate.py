"""Changes of rules over several events: what is flipped, halved, left out, and what is not."""

from __future__ import annotations

from typing import Any

import pytest

from auditstream.rules.correlation.model import CompoundRule
from auditstream.rules.correlation.mutate import mutants
from tests.rules.correlation.documents import correlation, extension


def counted(kind: str, **more: Any) -> CompoundRule:
    """Return a correlation of two rules within an hour."""
    section = {"group_by": ["workspace_id"], "timespan": "1h"} | more
    return correlation("some", type=kind, rules=["a", "b"], **section)


LENGTHS = ["timespan 30m in place of 1h", "timespan 2h in place of 1h"]
RULES = ["without rule a", "without rule b"]
GROUP = "without workspace_id in group-by"


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        (
            counted("event_count", condition={"gte": 10}),
            ["gte 11 in place of gte 10", "gte 9 in place of gte 10", *LENGTHS, GROUP, *RULES],
        ),
        (
            counted("event_count", condition={"gt": 1, "lte": 2}),
            ["gt 0 in place of gt 1", "lte 3 in place of lte 2", *LENGTHS, GROUP, *RULES],
        ),
        (
            counted("value_count", condition={"gte": 2, "field": ["role", "country"]}),
            ["gte 3 in place of gte 2", *LENGTHS, GROUP]
            + [f"without {name} in what is counted" for name in ("role", "country")]
            + ["events in place of values", *RULES],
        ),
        (counted("temporal"), [*LENGTHS, GROUP, *RULES]),
        (
            counted("temporal_ordered"),
            [*LENGTHS, GROUP, "in any order", "in the opposite order", *RULES],
        ),
        (
            counted("temporal", condition="a and not b"),
            ["or in place of and", "without a not", *LENGTHS, GROUP],
        ),
        (
            extension("new", "first_seen", rules=["a"], values=["country"], group_by=["actor_id"]),
            [
                "history 15d in place of 30d",
                "history 60d in place of 30d",
                "learning 15d in place of 30d",
                "learning 60d in place of 30d",
                "new-groups: true",
                "without actor_id in group-by",
            ],
        ),
        (
            extension("gone", "absence", after=["a"], expected=["b", "c"], timespan="1h"),
            [*LENGTHS, *(f"without {n} in expected" for n in "bc"), "the other way round"],
        ),
        (extension("silent", "silence", rules=["a"], timespan="1h"), LENGTHS),
        (
            extension(
                "access", "effective_access", rules=["a", "b"],
                entity_type="workspace_connection", role="query", through="group",
            ),
            ["through: direct", "through: any", "a role below query", "a role above query", *RULES],
        ),
        (
            extension(
                "large", "effective_access", rules=["a"], entity_type="workspace_connection",
                role="view", through="group", members=20,
            ),
            ["members: 21", "members: 19", "a role above view"],
        ),
    ],
    ids=lambda value: None if isinstance(value, list) else type(value).__name__,
)  # fmt: skip
def test_changes(rule: CompoundRule, changes: list[str]) -> None:
    """Each part is changed once; what means the same for whole numbers, or never, is left out."""
    found = list(mutants(rule))
    assert [change for change, _ in found] == changes
    assert all(mutant != rule for _, mutant in found)
    assert len({repr(mutant) for _, mutant in found}) == len(found)
