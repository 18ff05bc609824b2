"""Become a command that the kernel kills when its parent ends: launch.py PARENT COMMAND ARG..."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, command: list[str]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        sys.exit(f"process {parent} ended before it had started {command[0]}")
    os.execvp(command[0], command)  # noqa: S606 - this is the launcher's purpose


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
