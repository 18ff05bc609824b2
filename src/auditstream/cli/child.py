"""A process of ours that runs beside this one and never outlives it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final

from auditstream.embedded import launch

STOP_SECONDS: Final = 15.0
SHOWN_LINES: Final = 15


class Child:
    """`python -m …` with `name`, started by entering it and stopped by leaving it.

    Standard output goes to `<name>.out` in `logs`, standard error to `<name>.log`; both are
    appended to. It inherits the file descriptors `passed`, under their numbers. It gets no Ctrl-C
    of the terminal; on Linux it is sent SIGTERM when this process ends in whatever way. Enter it in
    the main thread, which lives as long as the process.
    """

    def __init__(
        self,
        name: str,
        module: Sequence[str],
        environment: Mapping[str, str],
        logs: Path,
        passed: Collection[int] = (),
    ) -> None:
        self.name = name
        self.out = logs / f"{name}.out"
        self.log = logs / f"{name}.log"
        self._module = module
        self._environment = environment
        self._passed = passed
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def exit_code(self) -> int | None:
        """Exit code once it has ended, else None."""
        return self._process.poll() if self._process is not None else None

    @property
    def pid(self) -> int | None:
        """Process id once it was started, else None."""
        return self._process.pid if self._process is not None else None

    def tail(self) -> str:
        """Return the end of what it wrote to standard error."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-SHOWN_LINES:])

    def __enter__(self) -> Child:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        launcher = [sys.executable, "-I", "-S", launch.__file__, str(os.getpid())]
        # -P: no module of the working directory may stand in for one of ours.
        command = [*launcher, sys.executable, "-P", "-m", *self._module]
        with self.out.open("ab") as out, self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                env=dict(self._environment),
                cwd=self.log.parent,
                start_new_session=True,
                pass_fds=tuple(self._passed),
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
