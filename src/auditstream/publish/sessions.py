"""The sessions of this process: closed when it exits, left to the parent when it is a fork."""

from __future__ import annotations

import atexit
import ctypes
import os
import threading

from auditstream.publish.session import Session

guard = threading.Lock()
"""Held while sessions begin and end, and while the process forks."""

_sessions: dict[Session, float] = {}


def remember(session: Session, close_seconds: float) -> None:
    """Have `session` closed within `close_seconds` when the process exits; `guard` is held."""
    _sessions[session] = close_seconds


def forget(session: Session) -> None:
    """Undo `remember`: the session has ended, or is about to; `guard` is held."""
    _sessions.pop(session, None)


def _close_all() -> None:
    with guard:
        closing = list(_sessions.items())
        _sessions.clear()
    for session, seconds in closing:
        session.close(seconds)


def _before_fork() -> None:
    guard.acquire()
    for session in _sessions:
        session.hold()


def _after_fork_in_parent() -> None:
    for session in _sessions:
        session.let_go()
    guard.release()


def _after_fork_in_child() -> None:
    for session in _sessions:
        session.disown()
        # The threads of its producer and the locks of its files are the parent's. They cannot be
        # released here, only be left alone for ever.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(session))
    _sessions.clear()
    guard.release()


atexit.register(_close_all)
os.register_at_fork(
    before=_before_fork,
    after_in_parent=_after_fork_in_parent,
    after_in_child=_after_fork_in_child,
)
