"""Strategies for events that have the form of the schema, whatever they say."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import strategies as st

from auditstream.contract.catalogue import shipped_catalogue
from auditstream.contract.limits import EARLIEST, MAX_FUTURE_SECONDS
from tests.pipeline.events import NOW, micros, uuid7, valid_event

ACTIONS: Final = sorted(shipped_catalogue().actions)
ROLES: Final = ["view", "View", "QUERY", "manage", "admin", "member", "viewer", "none", "edit"]
LATEST: Final = micros(NOW) + int(MAX_FUTURE_SECONDS * 1_000_000)

texts = st.one_of(
    st.sampled_from(["a", "Ana Lee", "Łódź", "名前", "\N{PARTY POPPER}", "line\nbreak", "x" * 64]),
    st.text(min_size=1, max_size=20),
)
wild_texts = st.one_of(
    texts,
    st.just(""),
    st.sampled_from(["x" * 257, "ü" * 1_024, "x" * 1_025, "İ" * 64, "y" * 4_097]),
)
valid_ids = st.integers(1, 10**6).map(uuid7)
wild_ids = st.one_of(
    valid_ids,
    valid_ids.map(str.upper),
    st.sampled_from(
        ["", "x", "{" + uuid7(1)[:-2] + "}", uuid7(1).replace("-", ""), uuid7(1) + "\n"]
    ),
)
addresses = st.one_of(
    st.ip_addresses().map(str),
    st.sampled_from(["::ffff:10.1.2.3", "FE80::1%eth0", "2001:DB8::0001", "127.0.0.1"]),
)
wild_addresses = st.one_of(
    addresses, st.sampled_from(["", "10.0.0", "localhost", "1.2.3.4 ", "::g"])
)
moments = st.integers(micros(EARLIEST), LATEST)
wild_moments = st.one_of(
    moments,
    st.sampled_from([micros(EARLIEST) - 1, LATEST + 1, 0, -(2**63), 2**63 - 1]),
)
numbers = st.integers(-(2**63), 2**63 - 1)


def optional(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), values)


def changes(text: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    old_or_new = optional(st.one_of(st.just(""), text))
    item = st.fixed_dictionaries({"field": text, "old": old_or_new, "new": old_or_new})
    return st.lists(item, max_size=3)


def pairs(text: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    item = st.fixed_dictionaries({"key": text, "value": st.one_of(st.just(""), text)})
    return st.lists(item, max_size=3)


@st.composite
def valid_events(draw: st.DrawFn) -> dict[str, Any]:
    """Draw an event that meets the contract."""
    action = shipped_catalogue()[draw(st.sampled_from(ACTIONS))]
    roles = st.sampled_from(action.roles) if action.roles else st.nothing()
    subjects: dict[str, st.SearchStrategy[Any]] = {
        "member": _members(texts),
        "group": _groups(texts),
        "role": roles.flatmap(lambda role: st.sampled_from([role, role.upper()])),
        "previous_role": roles,
    }
    fields: dict[str, st.SearchStrategy[Any]] = {
        "event_id": valid_ids,
        "occurred_at": moments,
        "workspace_id": texts,
        "workspace_username": st.one_of(st.just(""), texts),
        "actor": _actors(texts, addresses),
        "entity": st.fixed_dictionaries(
            {"type": st.just(action.entity_type), "id": texts, "name": optional(texts)}
        ),
        **{name: subjects[name] for name in action.required},
        **{name: optional(subjects[name]) for name in action.optional},
        "outcome": st.sampled_from(["success", "failure", "denied"]),
        "outcome_reason": optional(texts),
        "correlation_id": optional(texts),
        "changes": changes(texts),
        "metadata": pairs(texts),
        "source": _sources(texts),
    }
    return valid_event(action) | {name: draw(field) for name, field in fields.items()}


@st.composite
def wild_events(draw: st.DrawFn) -> dict[str, Any]:
    """Draw an event of the schema's form in which a few things may be wrong."""
    event = draw(valid_events())
    wild: dict[str, st.SearchStrategy[Any]] = {
        "event_id": wild_ids,
        "action": st.one_of(st.sampled_from(ACTIONS), wild_texts),
        "occurred_at": wild_moments,
        "workspace_id": wild_texts,
        "workspace_username": wild_texts,
        "actor": _actors(wild_texts, wild_addresses),
        "entity": st.fixed_dictionaries(
            {
                "type": st.one_of(st.just(event["entity"]["type"]), wild_texts),
                "id": wild_texts,
                "name": optional(wild_texts),
            }
        ),
        "member": optional(_members(wild_texts)),
        "group": optional(_groups(wild_texts)),
        "role": optional(st.one_of(st.sampled_from(ROLES), wild_texts)),
        "previous_role": optional(st.one_of(st.sampled_from(ROLES), wild_texts)),
        "outcome_reason": optional(wild_texts),
        "request_id": optional(wild_texts),
        "changes": changes(wild_texts),
        "metadata": pairs(wild_texts),
        "source": _sources(wild_texts),
    }
    names = draw(st.sets(st.sampled_from(sorted(wild)), max_size=3))
    return event | {name: draw(wild[name]) for name in sorted(names)}


def _actors(text: st.SearchStrategy[str], ip: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    kinds = ["unknown", "user", "service_account", "api_token", "system"]
    names = ("id", "username", "email", "role", "user_agent", "session_id", "on_behalf_of")
    fields: dict[str, st.SearchStrategy[Any]] = {name: optional(text) for name in names}
    return st.fixed_dictionaries(fields | {"type": st.sampled_from(kinds), "ip": optional(ip)})


def _members(text: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({"id": text, "username": optional(text), "email": optional(text)})


def _groups(text: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({"id": text, "name": optional(text)})


def _sources(text: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(
        {
            "service": text,
            "version": optional(text),
            "instance": optional(text),
            "epoch": numbers,
            "sequence": numbers,
        }
    )
