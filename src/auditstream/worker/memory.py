"""Memory that is free and yet not the system's."""

from __future__ import annotations

import ctypes


def release_free_memory() -> None:
    """Give memory that the C library holds for later back to the system; nothing without glibc.

    The bytes of records are freed by other threads than those that asked for them, and would
    add up to some 200 MiB of the worker's resident memory.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
