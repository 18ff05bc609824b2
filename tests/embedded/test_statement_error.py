from __future__ import annotations

import pytest

from auditstream.embedded.statement_error import failed, refused


@pytest.mark.parametrize(
    ("code", "status"),
    [(62, 400), (60, 404), (115, 404), (48, 501), (159, 408), (229, 413), (497, 403), (395, 500)],
)
def test_status_of_a_code(code: int, status: int) -> None:
    """The statuses are those of a ClickHouse server."""
    assert refused(code, "NAME", "reason").status == status


def test_code_within_the_engine_s_words() -> None:
    """The first code is the statement's; a wrapper's prefix is dropped."""
    error = failed(RuntimeError("Streaming failed: Code: 395. DB::Exception: x: Code: 6. DB::…"))
    assert error.code == 395
    assert str(error).startswith("Code: 395. DB::Exception: x")


def test_error_without_a_code() -> None:
    """What is not ClickHouse's is told as its STD_EXCEPTION."""
    error = failed(OSError(28, "No space left on device"))
    assert (error.code, error.status) == (1001, 500)
    assert "No space left" in str(error)
    assert "ValueError" in str(failed(ValueError()))
