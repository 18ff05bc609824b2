"""The catalogue of audited actions: what each is, what it needs, how it reads."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import yaml

from auditstream.contract.resources import resource
from auditstream.errors import ContractError

Severity: TypeAlias = Literal["informational", "low", "medium", "high", "critical"]
SubjectField: TypeAlias = Literal["member", "group", "role", "previous_role"]

SEVERITIES: Final[tuple[Severity, ...]] = ("informational", "low", "medium", "high", "critical")
SUBJECT_FIELDS: Final[tuple[SubjectField, ...]] = ("member", "group", "role", "previous_role")
PLACEHOLDERS: Final = frozenset(
    {"actor", "entity", "member", "group", "role", "previous_role", "workspace"}
)
_PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Category:
    """A heading under which actions are shown."""

    name: str
    title: str
    icon: str = ""


@dataclass(frozen=True)
class Ocsf:
    """Class and activity of the Open Cybersecurity Schema Framework (https://schema.ocsf.io)."""

    class_uid: int
    activity_id: int


@dataclass(frozen=True)
class Action:
    """One audited action.

    `roles` is its scale from least to most, empty when the action has no role. `sentence` holds
    placeholders in braces; a part in brackets is left out when a value within it is missing.
    """

    name: str
    category: str
    description: str
    entity_type: str
    entity_argument: str
    severity: Severity
    sentence: str
    ocsf: Ocsf
    required: tuple[SubjectField, ...] = ()
    optional: tuple[SubjectField, ...] = ()
    roles: tuple[str, ...] = ()
    weight: int = 0

    @property
    def fields(self) -> tuple[SubjectField, ...]:
        """Subject fields the action has, required ones first."""
        return self.required + self.optional

    def rank(self, role: str) -> int | None:
        """Return the rank of `role` on the action's scale, None when it is not on it."""
        return role_ranks(self.roles).get(role)


@dataclass(frozen=True)
class Catalogue:
    """Every audited action by name, in the order of the file."""

    actions: dict[str, Action]
    categories: dict[str, Category]
    role_scales: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __getitem__(self, action: str) -> Action:
        return self.actions[action]


def role_ranks(roles: tuple[str, ...]) -> dict[str, int]:
    """Return the rank of each role of a scale: its place from 1, `none` being 0."""
    named = [role for role in roles if role != "none"]
    ranks = {role: rank for rank, role in enumerate(named, start=1)}
    return {"none": 0, **ranks} if "none" in roles else ranks


def load_catalogue(path: Path) -> Catalogue:
    """Read a catalogue file.

    Raises:
        ContractError: the file cannot be read, or an entry is wrong; the message names the file
            and the place in it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ContractError(f"catalogue {path} cannot be read: {error.strerror}") from error
    return parse_catalogue(text, str(path))


@cache
def shipped_catalogue() -> Catalogue:
    """Return the catalogue shipped with the package."""
    return parse_catalogue(resource("actions.yaml").read_text(encoding="utf-8"), "actions.yaml")


def parse_catalogue(text: str, origin: str) -> Catalogue:
    """Read a catalogue from YAML text; `origin` names it in errors.

    Raises:
        ContractError: an entry is wrong; the message names `origin` and the place in it.
    """
    try:
        document = yaml.safe_load(text)
        scales = {name: tuple(roles) for name, roles in document["role_scales"].items()}
        categories = {
            name: Category(name, entry["title"], entry.get("icon", ""))
            for name, entry in document["categories"].items()
        }
        entries = document["actions"].items()
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise ContractError(f"{origin} is not a catalogue of actions: {error}") from error
    actions = {name: _action(name, entry, scales, categories, origin) for name, entry in entries}
    return Catalogue(actions, categories, scales)


def _action(
    name: str,
    entry: dict[str, Any],
    scales: dict[str, tuple[str, ...]],
    categories: dict[str, Category],
    origin: str,
) -> Action:
    where = f"{origin}, action {name}"
    try:
        action = Action(
            name=name,
            category=entry["category"],
            description=entry["description"],
            entity_type=entry["entity"]["type"],
            entity_argument=entry["entity"]["argument"],
            severity=entry["severity"],
            sentence=entry["sentence"],
            ocsf=Ocsf(entry["ocsf"]["class_uid"], entry["ocsf"]["activity_id"]),
            required=tuple(entry.get("required", ())),
            optional=tuple(entry.get("optional", ())),
            roles=scales[entry["role_scale"]] if "role_scale" in entry else (),
            weight=entry.get("weight", 0),
        )
    except (KeyError, TypeError) as error:
        raise ContractError(f"{where}: {error} is missing or unknown") from error
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name):
        raise ContractError(f"{where}: a name is lower case, digits and underscores")
    if action.category not in categories:
        raise ContractError(f"{where}: category {action.category!r} is not among the categories")
    if action.severity not in SEVERITIES:
        raise ContractError(f"{where}: severity is one of {', '.join(SEVERITIES)}")
    if unknown := set(action.fields) - set(SUBJECT_FIELDS):
        raise ContractError(f"{where}: unknown field {sorted(unknown)[0]!r}")
    if {"role", "previous_role"} & set(action.fields) and not action.roles:
        raise ContractError(f"{where}: an action with a role needs a role_scale")
    if unknown := set(_PLACEHOLDER.findall(action.sentence)) - PLACEHOLDERS:
        raise ContractError(f"{where}: unknown placeholder {{{sorted(unknown)[0]}}} in sentence")
    return action
