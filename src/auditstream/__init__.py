"""The audit log of a workspace: producers' SDK, worker, store and alerts.

The names below are the producers' SDK; each is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from auditstream.errors import (
        AuditStreamError,
        ClosedError,
        ConfigurationError,
        InvalidEventError,
        Problem,
        PublishError,
        SpoolFullError,
    )
    from auditstream.publish.audit_log import AuditLog
    from auditstream.publish.capture import capture_events
    from auditstream.publish.config import Durability, PublishSettings
    from auditstream.publish.context import (
        AuditContext,
        audit_context,
        causation,
        current_audit_context,
        reset_audit_context,
        set_audit_context,
    )
    from auditstream.publish.middleware import AuditMiddleware, WsgiAuditMiddleware
    from auditstream.publish.stats import Stats
    from auditstream.publish.values import Actor, Change, Group, Member, Ref, Workspace

__all__ = [
    "Actor",
    "AuditContext",
    "AuditLog",
    "AuditMiddleware",
    "AuditStreamError",
    "Change",
    "ClosedError",
    "ConfigurationError",
    "Durability",
    "Group",
    "InvalidEventError",
    "Member",
    "Problem",
    "PublishError",
    "PublishSettings",
    "Ref",
    "SpoolFullError",
    "Stats",
    "Workspace",
    "WsgiAuditMiddleware",
    "audit_context",
    "capture_events",
    "causation",
    "current_audit_context",
    "reset_audit_context",
    "set_audit_context",
]

_MODULES: Final = {
    "errors": (
        "AuditStreamError",
        "ClosedError",
        "ConfigurationError",
        "InvalidEventError",
        "Problem",
        "PublishError",
        "SpoolFullError",
    ),
    "publish.audit_log": ("AuditLog",),
    "publish.capture": ("capture_events",),
    "publish.config": ("Durability", "PublishSettings"),
    "publish.context": (
        "AuditContext",
        "audit_context",
        "causation",
        "current_audit_context",
        "reset_audit_context",
        "set_audit_context",
    ),
    "publish.middleware": ("AuditMiddleware", "WsgiAuditMiddleware"),
    "publish.stats": ("Stats",),
    "publish.values": ("Actor", "Change", "Group", "Member", "Ref", "Workspace"),
}
_HOMES: Final = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
