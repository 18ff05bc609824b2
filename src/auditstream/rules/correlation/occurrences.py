"""Occurrences: the events that a rule over several events looks at, as a relation in SQL.

Its columns: `g`, the values of the group; `v`, the values that are counted; `t`, occurred_at in
microseconds; `o`, the place in Kafka, by which events of one instant are ordered; `ws`, the
workspace; `x`, the event: its place, workspace, id, arrival; `new`, whether it is one of those the
evaluation is about; `mask`, a bit for each of the rules that it is an event of; `c`, values for a
rule that refers to this one; `k`, what it is counted as. A query that does not use one does not
read it.
"""
# ruff: noqa: S608 - names are those of columns, values are literals

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from auditstream.rules.correlation.model import Correlation
from auditstream.rules.correlation.scope import Dense, Scope, moment_sql
from auditstream.rules.fields import metadata_key
from auditstream.store.sql import hashes, literal

MAX_VALUES: Final = 2_000
"""Values of a field of groups that are named in a query; of more, none is."""

TIME: Final = "toUnixTimestamp64Micro(e.occurred_at)"
PLACE: Final = (
    "CAST((toString(e.stream), e.kafka_partition, e.kafka_offset), "
    "'Tuple(stream String, part Int32, off Int64)')"
)
EVENT: Final = (
    "CAST((toString(e.stream), e.kafka_partition, e.kafka_offset, toString(e.kafka_topic), "
    "toString(e.workspace_id), e.event_id, toUnixTimestamp64Micro(e.ingested_at), e.is_late), "
    "'Tuple(stream String, part Int32, off Int64, topic String, ws String, id UUID, "
    "arrived Int64, late Bool)')"
)


@dataclass(frozen=True)
class Source:
    """Rules whose events are read alike: for each, its bit of the mask and its predicate.

    `group`, `values` and `carried` are the fields that stand in `g`, `v` and `c`.
    """

    rules: tuple[tuple[int, str], ...]
    group: tuple[str, ...]
    values: tuple[str, ...] = ()
    carried: tuple[str, ...] = ()


def sources(
    rule: Correlation, predicates: Mapping[str, str], carried: tuple[str, ...] = ()
) -> list[Source]:
    """Return the single-event rules of a correlation, those together whose events are read alike.

    `predicates` are conditions over `e` by the name of the single-event rule.
    """
    alike: dict[tuple[tuple[str, ...], tuple[str, ...]], list[tuple[int, str]]] = {}
    for place, name in enumerate(rule.rules):
        if name in predicates:
            group, values = (
                tuple(rule.column(field, name) for field in fields)
                for fields in (rule.group_by, rule.fields)
            )
            alike.setdefault((group, values), []).append((rule.bit(place), predicates[name]))
    return [Source(tuple(rules), *fields, carried) for fields, rules in alike.items()]


def scan(source: Source, scope: Scope, dense: Dense | None = None) -> str:
    """Return the occurrences of events that meet one of the predicates of a source.

    With `dense`, of those there alone, and perhaps of some others.
    """
    columns = {
        "g": array(source.group),
        "v": array(source.values),
        "t": TIME,
        "o": PLACE,
        "ws": "toString(e.workspace_id)",
        "x": EVENT,
        "new": f"toUInt8({scope.new})" if scope.new else "toUInt8(1)",
        "mask": mask(source),
        "c": array(source.carried),
        "k": "toString(e.event_id)",
    }
    where = conditions(source, scope)
    if dense is not None:
        where = [*_within(dense, source), *where]
    return (
        f"SELECT {', '.join(f'{value} AS {name}' for name, value in columns.items())} "
        f"FROM {scope.database}.events AS e WHERE {' AND '.join(where)}"
    )


def conditions(source: Source, scope: Scope) -> list[str]:
    """Return the conditions that events of a source meet, all of them."""
    present = [f"{text(name)} != ''" for name in (*source.group, *source.values)]
    predicates = dict.fromkeys(_by_bit(source).values())
    met = f"({' OR '.join(predicates)})"
    return [*_times(scope), *_wanted(source.group, scope), met, *present]


def mask(source: Source) -> str:
    """Return a number with the bits of the rules that an event of a source is one of."""
    bits = _by_bit(source).items()
    return f"toUInt64({' + '.join(f'if({either}, {1 << bit}, 0)' for bit, either in bits)})"


def home(group: Sequence[str]) -> str:
    """Return the workspace of all events of a group, empty where they may be of several."""
    return "e.workspace_id" if "workspace_id" in group else "''"


def key(group: Sequence[str], width: int | None = None) -> str:
    """Return a hash of the group of an event; with `width`, of its piece of time as well."""
    of = f"cityHash64({', '.join(map(text, group)) or 0})"
    return of if width is None else f"cityHash64({of}, {_piece(width)})"


def merged(relations: Sequence[str]) -> str:
    """Return the occurrences of several relations, each event of a group and its values once."""
    if len(relations) == 1:
        return relations[0]
    return (
        "SELECT g, v, t, o, any(ws) AS ws, any(x) AS x, max(new) AS new, "
        f"groupBitOr(mask) AS mask, any(c) AS c, any(k) AS k "
        f"FROM ({together(relations)}) GROUP BY g, v, t, o"
    )


def together(relations: Sequence[str]) -> str:
    """Return the rows of several relations."""
    return " UNION ALL ".join(relations)


def text(column: str) -> str:
    """Return the value of a column as text, empty when absent; metadata.<key>: its first one."""
    key = metadata_key(column)
    if key is not None:
        return f"arrayFirst(pair -> pair.key = {literal(key)}, e.metadata).value"
    return f"ifNull(toString(e.{column}), '')"


def text_expr(column: str) -> pl.Expr:
    """Return the value of a column as text for a frame, under its name; null when absent."""
    key = metadata_key(column)
    if key is None:
        return pl.col(column).cast(pl.String)
    pair = pl.element().struct
    values = pl.element().filter(pair.field("key") == key).struct.field("value")
    return pl.col("metadata").list.eval(values).list.first().alias(column)


def read_column(column: str) -> str:
    """Return the column of the table in which the value of a column is."""
    return column if metadata_key(column) is None else "metadata"


def array(columns: Sequence[str]) -> str:
    """Return the values of columns as an array of texts."""
    return f"[{', '.join(map(text, columns))}]" if columns else "emptyArrayString()"


def _within(dense: Dense, source: Source) -> list[str]:
    if not dense.keys:
        return ["0"]
    where = [f"{key(source.group, dense.width)} IN ({hashes(dense.keys)})"]
    if dense.places is not None:
        # The table is ordered by workspace and time: a set of these leaves little of it to read.
        places = ", ".join(f"({literal(home)}, {piece})" for home, piece in dense.places)
        where.insert(0, f"({home(source.group)}, {_piece(dense.width)}) IN ({places})")
    return where


def _piece(width: int) -> str:
    return f"intDiv({TIME}, {width})"


def _times(scope: Scope) -> list[str]:
    """Return the conditions that leave out events of other times and workspaces."""
    spans = [
        f"e.occurred_at BETWEEN {moment_sql(first)} AND {moment_sql(last)}"
        for first, last in scope.read
    ]
    wanted = [f"({' OR '.join(spans)})"] if spans else ["0"]
    if scope.workspaces is not None:
        wanted.append(one_of("e.workspace_id", scope.workspaces))
    return wanted


def picked(columns: Sequence[str], carried: Sequence[str]) -> str:
    """Return the values of columns as an array of texts, from those that were carried along."""
    places = [f"c[{carried.index(name) + 1}]" for name in columns]
    return f"[{', '.join(places)}]" if places else "emptyArrayString()"


def one_of(column: str, values: Sequence[str]) -> str:
    """Return the condition that a column has one of the values."""
    return f"{column} IN ({', '.join(map(literal, values))})" if values else "0"


def _wanted(group: Sequence[str], scope: Scope) -> list[str]:
    # Each value by itself: more groups than are wanted, but lists of literals are read fast.
    if scope.groups is None:
        return []
    wanted = []
    for place, column in enumerate(group):
        values = sorted({values[place] for values in scope.groups})
        if column == "workspace_id":
            # The table is ordered by it.
            wanted.append(one_of("e.workspace_id", values))
        elif len(values) <= MAX_VALUES:
            wanted.append(one_of(text(column), values))
    return wanted


def _by_bit(source: Source) -> dict[int, str]:
    by_bit: dict[int, list[str]] = {}
    for bit, predicate in source.rules:
        by_bit.setdefault(bit, []).append(f"({predicate})")
    return {bit: f"({' OR '.join(predicates)})" for bit, predicates in by_bit.items()}
