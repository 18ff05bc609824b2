"""Which media types a client takes (RFC 9110, section 12.5.1)."""

from __future__ import annotations

from auditstream.errors import RefusedError


def require_accepted(accept: str | None, media_type: str) -> None:
    """Do nothing if the header Accept allows the media type.

    Raises:
        RefusedError: 406.
    """
    if accept is None or not accept.strip():
        return
    # The most specific range that matches decides.
    ranges = ("*/*", f"{media_type.partition('/')[0]}/*", media_type)
    best = (-1, 0.0)
    for part in accept.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        if name in ranges:
            best = max(best, (ranges.index(name), _quality(parameters)))
    if best[0] < 0 or best[1] <= 0:
        raise RefusedError(406, f"the answer is {media_type}, which the header Accept rules out")


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0
