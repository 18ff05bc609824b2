"""Sentences with placeholders in braces and parts in brackets that may be left out."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from auditstream.contract.catalogue import PLACEHOLDERS
from auditstream.errors import ContractError

_CUT: Final = re.compile(r"([\[\]]|\{\w*\}|[{}])")


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A value that stands in the sentence: actor, entity, member, group, role, ..."""

    name: str


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a sentence; an optional one is left out when a value within it is missing."""

    pieces: tuple[str | Placeholder, ...]
    optional: bool


def parse_template(text: str, known: Collection[str] = PLACEHOLDERS) -> tuple[Part, ...]:
    """Cut a sentence with placeholders, each one of `known`, into its parts.

    Raises:
        ContractError: a placeholder is unknown, or braces or brackets do not match.
    """
    parts: list[Part] = []
    pieces: list[str | Placeholder] = []
    optional = False
    for piece in filter(None, _CUT.split(text)):
        if piece in ("[", "]"):
            if (piece == "]") != optional:
                raise ContractError(f"sentence {text!r}: brackets do not match")
            parts.append(Part(tuple(pieces), optional))
            pieces, optional = [], not optional
        elif piece[0] in "{}":
            if piece[1:-1] not in known:
                names = ", ".join(sorted(known))
                raise ContractError(f"sentence {text!r}: {piece} is not one of {names}")
            pieces.append(Placeholder(piece[1:-1]))
        else:
            pieces.append(piece)
    if optional:
        raise ContractError(f"sentence {text!r}: a bracket is not closed")
    parts.append(Part(tuple(pieces), optional=False))
    return tuple(part for part in parts if part.pieces)
