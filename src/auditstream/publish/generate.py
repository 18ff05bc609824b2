"""Write `actions.py`, the typed call of every action, from the shipped catalogue.

Run it after a change of the catalogue: `python -m auditstream.publish.generate`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from auditstream.contract.catalogue import Action, Catalogue, SubjectField, shipped_catalogue
from auditstream.errors import ContractError

ACTIONS_FILE: Final = Path(__file__).with_name("actions.py")

_WIDTH: Final = 100
_ENTITY_TYPES: Final = {"workspace": "Workspace", "group": "Group"}
_HEAD: Final = '''\
"""A typed call for every action. Made from the catalogue by `auditstream.publish.generate`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal, Unpack

from auditstream.publish.values import Common, Entity, Group, Member, Ref, Workspace


class Actions(ABC):
    """The actions of the catalogue, each a method.

    All arguments are named. Those every action takes are `auditstream.publish.values.Common`;
    `workspace` is that of the audit context unless given. All return the id of the event and
    raise as `emit` does.
    """

    @abstractmethod
    def emit(
        self,
        action: str,
        *,
        workspace: Workspace | None = None,
        entity: Entity | None = None,
        member: Member | None = None,
        group: Group | None = None,
        role: str | None = None,
        previous_role: str | None = None,
        **common: Unpack[Common],
    ) -> str:
        """Publish an event of any action of the catalogue; return its id."""
'''


def generate(catalogue: Catalogue) -> str:
    """Return the text of `actions.py` for a catalogue.

    Raises:
        ContractError: the name of an entity's argument is also that of a field of the action.
    """
    return _HEAD + "".join(_method(action) for action in catalogue.actions.values())


def _method(action: Action) -> str:
    if action.entity_argument in {*action.fields, "actor", "action"}:
        raise ContractError(
            f"action {action.name}: the entity's argument {action.entity_argument!r} is also the "
            "name of another argument; give it another in the catalogue"
        )
    lines = [f"    def {action.name}(", "        self,", "        *,"]
    lines += [f"        {parameter}," for parameter in _parameters(action)]
    lines += ["        **common: Unpack[Common],", "    ) -> str:", *_docstring(action)]
    lines += ["        return self.emit(", f'            "{action.name}",']
    lines += [f"            {argument}," for argument in _arguments(action)]
    lines += ["            **common,", "        )"]
    return "\n" + "\n".join(lines) + "\n"


def _parameters(action: Action) -> Iterator[str]:
    entity = action.entity_argument
    yield f"{entity}: {_ENTITY_TYPES.get(entity, 'Ref')}"
    for field in action.required:
        yield f"{field}: {_type(field, action)}"
    for field in action.optional:
        yield f"{field}: {_type(field, action)} | None = None"
    if entity != "workspace":
        yield "workspace: Workspace | None = None"


def _arguments(action: Action) -> Iterator[str]:
    yield "workspace=workspace"
    yield f"entity={action.entity_argument}"
    for field in action.fields:
        yield f"{field}={field}"


def _type(field: SubjectField, action: Action) -> str:
    if field in ("member", "group"):
        return field.capitalize()
    return "Literal[" + ", ".join(f'"{role}"' for role in action.roles) + "]"


def _docstring(action: Action) -> Iterator[str]:
    sentence = action.sentence.replace("[", "").replace("]", "")
    text = f"Reads as: {sentence}. Severity: {action.severity}."
    indent = " " * 8
    yield f'{indent}"""Publish "{action.description}".'
    yield ""
    yield from textwrap.wrap(text, _WIDTH, initial_indent=indent, subsequent_indent=indent)
    yield f'{indent}"""'


def main() -> None:
    """Write the file."""
    ACTIONS_FILE.write_text(generate(shipped_catalogue()), encoding="utf-8")


if __name__ == "__main__":
    main()
