"""Reading is audited: each access is an event, in the durable spool before the answer leaves."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from auditstream.contract.limits import MAX_ITEMS, MAX_NAME, MAX_TEXT, MAX_VALUE
from auditstream.errors import AuditStreamError, RefusedError
from auditstream.publish.audit_log import AuditLog
from auditstream.publish.values import Actor, Ref, Workspace
from auditstream.store.tokens import Token

_LOG: Final = logging.getLogger("auditstream.api")
_RETRY_SECONDS: Final = "5"


@dataclass(frozen=True)
class Access:
    """Who reads what: the token and where its request came from, path and filters."""

    token: Token
    path: str
    ip: str | None = None
    user_agent: str | None = None
    filters: Mapping[str, str] = field(default_factory=dict)


def record_access(
    audit: AuditLog,
    access: Access,
    rows: int | None,
    *,
    outcome: Literal["success", "denied"] = "success",
    reason: str | None = None,
) -> None:
    """Publish `audit_log_accessed`; `rows` is how many events or alerts the answer holds.

    Returns when the event is in the spool; does not wait for the broker.

    Raises:
        RefusedError: 503, it could not be kept, so the answer must not leave.
    """
    token = access.token
    metadata = {"token_id": token.token_id, "path": access.path[:MAX_VALUE]}
    if rows is not None:
        metadata["rows"] = str(rows)
    for name, value in list(access.filters.items())[: MAX_ITEMS - len(metadata)]:
        metadata[f"filter.{name}"] = value[:MAX_VALUE]
    try:
        audit.audit_log_accessed(
            audit_log=Ref(token.workspace_id, "audit log"),
            workspace=Workspace(token.workspace_id, token.workspace_username),
            actor=Actor(
                id=token.token_id,
                type="api_token",
                username=token.name[:MAX_NAME] or None,
                ip=access.ip,
                user_agent=(access.user_agent or "")[:MAX_TEXT] or None,
            ),
            outcome=outcome,
            outcome_reason=reason,
            metadata=metadata,
        )
    except AuditStreamError as error:
        _LOG.error("an access could not be recorded, so it was refused: %s", error)
        raise RefusedError(
            503,
            "the access cannot be recorded in the audit log now, so nothing is shown",
            {"Retry-After": _RETRY_SECONDS},
        ) from error
