"""Sentences with placeholders and parts that may be left out."""

from __future__ import annotations

import pytest

from auditstream.contract.catalogue import shipped_catalogue
from auditstream.contract.template import Part, Placeholder, parse_template
from auditstream.errors import ContractError


def test_parts() -> None:
    """A template is cut into stretches, of which those in brackets are optional."""
    assert parse_template("{actor} went[ from {previous_role}] to {role}") == (
        Part((Placeholder("actor"), " went"), optional=False),
        Part((" from ", Placeholder("previous_role")), optional=True),
        Part((" to ", Placeholder("role")), optional=False),
    )


def test_shipped_sentences() -> None:
    """Every sentence of the shipped catalogue can be cut."""
    for action in shipped_catalogue().actions.values():
        assert parse_template(action.sentence)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{actor} saw {thing}", "{thing} is not one of"),
        ("{actor} saw {}", "{} is not one of"),
        ("{actor saw", "{ is not one of"),
        ("{actor} saw [it", "not closed"),
        ("{actor} saw it]", "do not match"),
        ("{actor} [saw [it]]", "do not match"),
    ],
)
def test_wrong_templates(text: str, words: str) -> None:
    """A wrong template is refused, with what is wrong about it."""
    with pytest.raises(ContractError) as caught:
        parse_template(text)
    assert words in str(caught.value)
