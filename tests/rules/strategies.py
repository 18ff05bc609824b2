"""Strategies for rules and events that are likely to meet, and rich in corners."""

from __future__ import annotations

from typing import Any, Final, TypeVar

import polars as pl
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from auditstream.contract.catalogue import shipped_catalogue
from auditstream.store.columns import EVENT_SCHEMA
from tests.store.rows import event_rows

T = TypeVar("T")

WORDS: Final = [
    *("a", "A", "b", "ab", "aB", "abc", "xaby", "AB AB", "a b", "a_b", "a.b", "a-b"),
    *("\u00c0\u00c9", "\u00e0\u00e9", "stra\u00dfe", "STRASSE", "STRA\u1e9eE"),
    *("\u03a3\u0391\u03a3", "\u03c3\u03b1\u03c2", "\u03c3\u03b1\u03c3", "\u03a3", "\u03c2"),
    *("\u0130", "i\u0307", "I", "\u0131", "i", "K", "k", "\u212a", "\u017f", "s", "S"),
    *("a*b", "a?b", "a\\b", "a\\*b", "a\\\\b", "*", "?", "\\", "%vip%", "it's", '"', "`"),
    *("a\nb", "a\n", "\n", "a\rb", "a\tb", " a", "x\x00y", "\x00", "\x7f", "\x85", "\u2028"),
    *("\U0001f600", "a\U0001f600b", "\ud7ff", "\ue000", "\U0010ffff", "\u0301a"),
    *("10.0.0.1", "10.0.0.255", "10.0.1.0", "010.0.0.1", "10.0.0", "::1", "2001:db8::5"),
    *("2001:DB8::5", "::ffff:10.0.0.1", "fe80::1%eth0", "2001:db8:0:0:0:0:0:5", "::", "1::2::3"),
    *("1", "01", "-5", "1.5", "2", "1e3", "12345678901234567890", "1.0", "-0", "+1", "1.", "0.1"),
    *("true", "False", "success", "null", "none", "role manage"),
]
KEYS: Final = ["k", "K", "deep.key", "it's", "\u00e9"]
TEXTS: Final = ["actor_username", "entity_name", "outcome_reason", "workspace_username", "country"]
NETWORKS: Final = ["10.0.0.0/24", "10.0.0.1/32", "0.0.0.0/0", "2001:db8::/32", "::/0", "::1/128"]
REGEXES: Final = [
    *("a", "^a", "b$", "^$", "a.b", "a+b?", "(a|b)c", "(?:a|)b", "[ab]+", "[^a]", "^[^a]$", "a{2}"),
    *("a{1,2}b", "x*", r"\d", r"\D", r"^\w+$", r"\W", r"\s", r"a\sb", r"\S+", r"\ba", r"b\b", "."),
    *("^.$", r"\.", r"a\.b", r"\\", r"\*", r"a\nb", "a\nb", r"\x61", r"[\d.]+", r"[\w-]+@", "'"),
    *("[a-c]{3}", r"[\x00-\x1f]", r"\x00", "\u00e9", "[\u00e0-\u00ff]", "\U0001f600", "a|^b|c$"),
    *(
        "(?i)ab",
        "(?i:A)b",
        "(?s)a.b",
        "(?m)^b",
        "(?P<n>a)b",
        "a*?b",
        "(a(b(c)?)?)?$",
        "[]a]",
        "[a-]",
    ),
    *("{", "a{", "a{b}", "}", "]", "%", "[.]", "[*?]", "^10[.]0", "a$\n", "[^\n]", "[^\\s]"),
]
CASELESS: Final = ["AB", "a[B-D]", "^xA", "b$", "[^A]", "(A|X)", r"\x41", r"A\sB", "a.B"]
"""Expressions whose letters have no other case beyond ASCII, as Python's re.ASCII assumes."""


def spelled(text: str) -> str:
    """Return the Sigma string that stands for a text."""
    return text.replace("\\", "\\\\").replace("*", "\\*").replace("?", "\\?")


words = st.one_of(st.sampled_from(WORDS), st.text("aAbB\u00e9\u00c9\u03c3\u03c2*?\\", max_size=4))
patterns = st.one_of(
    words,  # with what wildcards and backslashes it has
    words.map(spelled),
    st.tuples(words, st.sampled_from(["*", "?", "*a*", "?*", "**"]), words).map("".join),
)
numbers = st.one_of(st.integers(-3, 5), st.sampled_from([1.5, -0.5, 0.1, 2.0, 1000, 2**53]))


def one_or_more(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(values, st.lists(values, min_size=1, max_size=3))


def items(name: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str, Any]]:
    """Return strategies for an entry of a map, about a field of free text."""
    cased = st.sampled_from(["", "|cased"])
    neq = st.sampled_from(["", "", "", "|neq"])
    shape = st.sampled_from(["", "|contains", "|startswith", "|endswith", "|contains|all"])
    flags = st.sampled_from(["", "|m", "|s", "|m|s"])
    return st.one_of(
        st.tuples(st.tuples(name, shape, cased, neq).map("".join), one_or_more(patterns)),
        st.tuples(st.tuples(name, st.just("|re"), flags).map("".join), st.sampled_from(REGEXES)),
        st.tuples(name.map("{}|re|i".format), one_or_more(st.sampled_from(CASELESS))),
        st.tuples(name.map("{}|cidr".format), one_or_more(st.sampled_from(NETWORKS))),
        st.tuples(name.map("{}|exists".format), st.booleans()),
        st.tuples(name, st.one_of(st.none(), st.lists(st.one_of(st.none(), patterns), min_size=2))),
    )


arrays = st.one_of(
    st.sampled_from(KEYS).map("metadata.{}".format),
    st.tuples(st.sampled_from(KEYS), st.sampled_from(["old", "new"])).map(
        lambda pair: f"changes.{pair[0]}.{pair[1]}"
    ),
)
integers = st.sampled_from(["role_rank", "role_change", "previous_role_rank", "source_sequence"])
comparisons = st.sampled_from(["|gt", "|gte", "|lt", "|lte"])
actions = sorted(shipped_catalogue().actions)
entries = st.one_of(
    items(st.sampled_from(TEXTS)),
    items(arrays),
    st.tuples(st.just("action"), one_or_more(st.sampled_from(actions))),
    st.tuples(st.just("action|contains"), st.sampled_from(["member", "GROUP", "_changed"])),
    st.tuples(st.just("action|re"), st.sampled_from(["^group_", "deleted$", "(added|removed)"])),
    st.tuples(st.just("outcome"), one_or_more(st.sampled_from(["success", "Denied"]))),
    st.tuples(st.just("severity"), one_or_more(st.sampled_from(["high", "low", "Medium"]))),
    st.tuples(st.just("role"), one_or_more(st.sampled_from(["manage", "ADMIN", "view", None]))),
    st.tuples(st.just("is_late"), st.booleans()),
    st.tuples(integers, st.integers(0, 3)),
    st.tuples(st.tuples(integers, comparisons).map("".join), st.integers(0, 3)),
    st.tuples(comparisons.map("role_rank{}".format), st.sampled_from([0.5, 1.0, 2.5])),
    st.tuples(comparisons.map("delay_seconds{}".format), numbers),
    st.tuples(comparisons.map("metadata.k{}".format), numbers),
    st.tuples(arrays, st.one_of(st.integers(-5, 5), st.booleans())),
    st.tuples(st.just("occurred_at|hour"), st.integers(0, 23)),
    st.tuples(
        st.sampled_from(["minute", "day", "week", "month"]).map("occurred_at|{}".format),
        st.integers(1, 12),
    ),
    st.tuples(
        st.sampled_from(
            ["", "|startswith", "|endswith", "|contains"],
        ).map("actor_username|fieldref{}".format),
        st.sampled_from(["entity_name", "outcome_reason"]),
    ),
    st.tuples(arrays.map("{}|fieldref".format), st.sampled_from(["entity_name", "metadata.it's"])),
    st.tuples(st.just("entity_name|fieldref"), arrays),
    st.tuples(st.just("role_rank|fieldref"), st.just("previous_role_rank")),
)
maps = st.lists(entries, min_size=1, max_size=3, unique_by=lambda entry: entry[0]).map(dict)
keywords = st.lists(words.filter(lambda word: word.strip("*")), min_size=1, max_size=3)
definitions = st.one_of(maps, maps, maps, st.lists(maps, min_size=1, max_size=2), keywords)
CONDITIONS: Final = [
    *("sel_a", "sel_a", "sel_a and sel_b", "sel_a or sel_b", "sel_a and not sel_b", "not sel_a"),
    *("1 of sel_*", "all of them", "not (sel_a and sel_b)", "sel_a and (sel_b or not flt)"),
    *("sel_a and not 1 of flt*", "not all of sel_* or flt", "1 of them and not all of sel_*"),
]


@st.composite
def detections(draw: st.DrawFn) -> dict[str, Any]:
    """Draw the section `detection` of a rule; it may be one that the loader refuses."""
    condition = draw(st.sampled_from(CONDITIONS))
    names = [
        name
        for name in ("sel_a", "sel_b", "flt")
        if name in condition
        or "them" in condition
        or (name[:3] + "_*" in condition)
        or (name == "flt" and "flt*" in condition)
    ]
    return {name: draw(definitions) for name in names} | {"condition": condition}


text = st.one_of(st.none(), words, words)
texts_of_events: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("actor_username", "entity_name", "outcome_reason", "country"), text),
    "workspace_username": words,
    "metadata": st.lists(
        st.fixed_dictionaries({"key": st.sampled_from(KEYS), "value": words}), max_size=3
    ),
    "changes": st.lists(
        st.fixed_dictionaries({"field": st.sampled_from(KEYS), "old": text, "new": text}),
        max_size=2,
    ),
    "is_late": st.booleans(),
    "delay_seconds": st.sampled_from([0.0, 0.1, 0.5, 1.5, 2.0, -0.5]),
    "sentence": words,
}
event_values = st.fixed_dictionaries(texts_of_events)


def events_of(drawn: list[dict[str, Any]]) -> pl.DataFrame:
    """Return events, real ones but for the values that were drawn."""
    values = pl.DataFrame(drawn, schema={name: EVENT_SCHEMA[name] for name in texts_of_events})
    return event_rows(len(drawn), seed=7).with_columns(values)


def draw_many(strategy: st.SearchStrategy[T], count: int) -> list[T]:
    """Return many values, the same ones each time.

    They are judged all at once, since a query of the table costs too much for one rule alone.
    """
    drawn: list[T] = []

    @settings(
        max_examples=count,
        phases=[Phase.generate],
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def note(value: T) -> None:
        drawn.append(value)

    note()
    return drawn
