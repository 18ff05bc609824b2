"""A fuzzer that reads the OpenAPI document finds no fault with the endpoint."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from auditstream import AuditLog
from auditstream.api.app import make_api
from auditstream.api.issue import Issued
from auditstream.settings import Settings
from auditstream.store.connection import Store
from tests.api.conftest import basic

EXAMPLES = 25
OPERATIONS = (
    "GET /api/{workspace_username}/audit_logs",
    "GET /v1/{workspace_username}/events",
    "GET /v1/{workspace_username}/events/{event_id}",
    "GET /v1/{workspace_username}/events/export",
    "GET /v1/{workspace_username}/events/export/manifest",
    "GET /v1/{workspace_username}/events/stream",
    "GET /v1/{workspace_username}/alerts",
    "GET /v1/{workspace_username}/alerts/{alert_id}",
    "POST /v1/{workspace_username}/alerts/{alert_id}/{change}",
    "GET /v1/{workspace_username}/silences",
    "POST /v1/{workspace_username}/silences",
    "POST /v1/{workspace_username}/silences/{silence_id}/end",
    "GET /v1/{workspace_username}/questions",
    "GET /v1/{workspace_username}/questions/{name}",
)

# That a token is wanted is tested with the pages. A schema has no words for what makes a text a
# time or an address, so that texts of its making are refused with 400, as documented.
EXCLUDED = [ignored_auth, positive_data_acceptance]

pytestmark = pytest.mark.usefixtures("published")


@pytest.fixture(scope="module", params=["embedded"])
def url(request: pytest.FixtureRequest) -> str:
    """The embedded ClickHouse alone: what differs between servers is tested with the pages."""
    address: str = request.getfixturevalue("embedded_clickhouse").url
    return address


@pytest.fixture(scope="module")
def document(settings: Settings, store: Store, audit: AuditLog) -> Any:
    """The document of the endpoint."""
    return schemathesis.openapi.from_asgi("/openapi.json", make_api(settings, audit=audit))


def test_all_operations_are_tried(document: Any) -> None:
    """None is left out below."""
    found = {f"{method} {path}".upper() for path in document for method in document[path]}
    assert found == {operation.upper() for operation in OPERATIONS}


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_fault_is_found(
    document: Any, issued: Issued, operation: str, mode: GenerationMode
) -> None:
    """Statuses, media types and bodies are those of the document, whatever is sent."""
    method, path = operation.split()

    @given(case=document[path][method].as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    def try_it(case: Any) -> None:
        # The token's own workspace, so that what is sent gets through the door.
        if mode is GenerationMode.POSITIVE:
            case.path_parameters["workspace_username"] = "workspace-0"
        if path.endswith("/stream"):
            case.query = {**(case.query or {}), "seconds": 0.01}
        answer = case.call(headers={"Authorization": basic(issued)})
        # What is too long is refused before anything else is looked at.
        assume(answer.status_code != 414)
        case.validate_response(answer, excluded_checks=EXCLUDED)

    try_it()
