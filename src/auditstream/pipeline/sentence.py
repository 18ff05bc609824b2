"""Sentences: who did what to whom, for people to read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import polars as pl

from auditstream.contract.catalogue import Catalogue
from auditstream.contract.template import Part, Placeholder, parse_template

UNSAFE: Final = r"[\p{Cc}\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
"""Characters that would break a line or reorder it: a name must not forge another line."""

UNKNOWN: Final = "unknown"
NOBODY: Final = "someone"


class Sentences:
    """The sentences of a catalogue, compiled.

    Raises:
        ContractError: a sentence cannot be compiled.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._templates = [fill(action.sentence) for action in catalogue.actions.values()]

    def write(self, events: pl.DataFrame) -> pl.Series:
        """Return one sentence for each event, in their order; needs `action_number`."""
        values = shown(events).with_columns(events["action_number"]).with_row_index("place")
        written = [
            part.select("place", sentence=self._templates[part["action_number"][0]])
            for part in values.partition_by("action_number")
        ]
        if not written:
            return pl.Series("sentence", [], pl.String)
        sentences = pl.concat(written).sort("place")["sentence"]
        return tell(events.select("outcome", "outcome_reason", sentence=sentences))


def shown(events: pl.DataFrame) -> pl.DataFrame:
    """Return the values that stand in sentences, one column for each placeholder.

    A person is shown by username, mail address or id, a thing by name or id. Null where the
    event has no such value.
    """
    behalf = (pl.lit(" on behalf of ") + pl.col("actor_on_behalf_of")).fill_null("")
    actor = pl.coalesce("actor_username", "actor_email", "actor_id", pl.lit(NOBODY))
    username = pl.col("workspace_username")
    return events.select(
        "role",
        "previous_role",
        actor=actor + behalf,
        entity=pl.coalesce("entity_name", "entity_id"),
        member=pl.coalesce("member_username", "member_email", "member_id"),
        group=pl.coalesce("group_name", "group_id"),
        workspace=pl.when(username != "").then(username).otherwise("workspace_id"),
    )


def fill(template: str) -> pl.Expr:
    """Return the expression that fills a template from the columns of `shown`.

    Raises:
        ContractError: the template is wrong.
    """
    return pl.concat_str(*(piece for part in parse_template(template) for piece in _pieces(part)))


def tell(sentences: pl.DataFrame) -> pl.Series:
    """Return sentences with how the events ended, safe to stand in a line.

    Columns: `sentence`, `outcome`, `outcome_reason`.
    """
    failed = pl.col("outcome") != "success"
    if sentences.select(failed.any()).item():
        how = pl.when(pl.col("outcome") == "denied").then(pl.lit("Denied: "))
        why = (pl.lit(" (") + pl.col("outcome_reason") + pl.lit(")")).fill_null("")
        told = pl.concat_str(how.otherwise(pl.lit("Failed: ")), "sentence", why)
        sentences = sentences.with_columns(
            sentence=pl.when(failed).then(told).otherwise("sentence")
        )
    return neutral(sentences["sentence"])


def neutral(texts: pl.Series) -> pl.Series:
    """Replace characters that could forge a line of a log or a terminal."""
    if not texts.str.contains(UNSAFE).any():
        return texts
    return texts.str.replace_all(UNSAFE, "\N{REPLACEMENT CHARACTER}")


def _pieces(part: Part) -> Iterator[pl.Expr]:
    pieces = [_piece(piece) for piece in part.pieces]
    if part.optional:
        yield pl.concat_str(*pieces).fill_null("")
    else:
        yield from (piece.fill_null(UNKNOWN) for piece in pieces)


def _piece(piece: str | Placeholder) -> pl.Expr:
    return pl.lit(piece) if isinstance(piece, str) else pl.col(piece.name)
