"""Rules as expressions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from auditstream.rules.compile import compile_rule
from auditstream.rules.fields import LOWER_CASE_FIELDS, NUMBER_FIELDS, TEXT_FIELDS
from auditstream.rules.load import builtin_rules
from auditstream.rules.rule import Condition
from auditstream.store.columns import EVENT_SCHEMA

FRAME = pl.DataFrame(
    {
        "action": ["a", "b", "a", "c"],
        "actor_id": ["U1", "u1", None, "u2"],
        "role_change": [2, 0, None, -1],
    },
    schema={"action": pl.String, "actor_id": pl.String, "role_change": pl.Int8},
)


def fires(selection: list[Condition], exclusion: tuple[Condition, ...] = ()) -> list[bool]:
    rule = replace(builtin_rules()[0], selection=tuple(selection), exclusion=exclusion)
    found: list[bool] = FRAME.select(compile_rule(rule))[:, 0].to_list()
    return found


@pytest.mark.parametrize(
    ("field", "operator", "values", "expected"),
    [
        ("action", "is", ("a",), [True, False, True, False]),
        ("action", "is", ("a", "C"), [True, False, True, True]),
        ("actor_id", "is", ("u1",), [True, True, False, False]),
        ("actor_id", "is", ("U1",), [True, True, False, False]),
        ("actor_id", "is", (None,), [False, False, True, False]),
        ("actor_id", "is", ("u2", None), [False, False, True, True]),
        ("role_change", "is", (0, -1), [False, True, False, True]),
        ("role_change", "gt", (0,), [True, False, False, False]),
        ("role_change", "gte", (0,), [True, True, False, False]),
        ("role_change", "lt", (0,), [False, False, False, True]),
        ("role_change", "lte", (0.5,), [False, True, False, True]),
    ],
)
def test_condition(field: str, operator: Any, values: Any, expected: list[bool]) -> None:
    """Each operator compares as Sigma says: text in any case, absence only with null."""
    assert fires([Condition(field, operator, values)]) == expected


def test_all_conditions() -> None:
    """A rule fires where all conditions are met."""
    conditions = [Condition("action", "is", ("a",)), Condition("role_change", "gt", (0,))]
    assert fires(conditions) == [True, False, False, False]


def test_exclusion() -> None:
    """What is excluded does not fire; an absent value excludes nothing."""
    everything = [Condition("action", "is", ("a", "b", "c"))]
    exclusion = (Condition("actor_id", "is", ("u1",)), Condition("role_change", "gt", (1,)))
    assert fires(everything, exclusion[:1]) == [False, False, True, True]
    assert fires(everything, exclusion) == [False, True, True, True]


def test_fields_are_columns() -> None:
    """The fields of rules are columns of events, of the kind rules take them for."""
    assert {name for name in TEXT_FIELDS if EVENT_SCHEMA[name] != pl.String} == set()
    numbers = (pl.Int8, pl.UInt8, pl.Float32)
    assert {name for name in NUMBER_FIELDS if EVENT_SCHEMA[name] not in numbers} == set()
    assert LOWER_CASE_FIELDS <= TEXT_FIELDS
