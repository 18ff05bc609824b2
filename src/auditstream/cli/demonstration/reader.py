"""A token for looking at the story over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime

from auditstream.api.issue import Issued, create_token
from auditstream.store.connection import Store
from auditstream.store.tokens import SCOPES


def make_reader(store: Store) -> Issued:
    """Make a token that may do everything in the workspace with the most alerts.

    Blocks, and raises what `Store` raises.
    """
    workspace_id, workspace_username = store.query_frame(
        "SELECT workspace_id, workspace_username FROM {database:Identifier}.alerts "
        "GROUP BY 1, 2 ORDER BY countIf(level >= 'high') DESC, count() DESC, 1 LIMIT 1",
        {"database": store.database},
    ).row(0)
    return create_token(
        store,
        workspace_id=workspace_id,
        workspace_username=workspace_username,
        name="demo",
        scopes=SCOPES,
        by="auditstream demo",
        now=datetime.now(UTC),
    )
