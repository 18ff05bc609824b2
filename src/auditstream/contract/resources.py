"""Files of the contract as they are shipped with the package."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable


def resource(name: str) -> Traversable:
    """Return the shipped contract file `name`, for example "audit_event.avsc"."""
    return files("auditstream").joinpath("schemas").joinpath(name)
