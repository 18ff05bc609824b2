"""The command line `auditstream`.

Exit codes: 0 done, 1 the answer is no, 2 wrong usage, 3 a service is unreachable.
"""

from __future__ import annotations

import os
import sys

from auditstream.cli.extras import extra_of
from auditstream.errors import (
    AuditStreamError,
    ConfigurationError,
    ServiceUnavailableError,
)

NO = 1
WRONG_USAGE = 2
UNREACHABLE = 3


def main() -> None:
    """Run the command line of this process and exit with its code."""
    try:
        from auditstream.cli.app import app

        app()
    except AuditStreamError as error:
        _fail(str(error), exit_code(error))
    except ModuleNotFoundError as error:
        extra = extra_of(error.name)
        if extra is None:
            raise
        _fail(f"this command needs {error.name}: pip install 'auditstream[{extra}]'", WRONG_USAGE)
    except BrokenPipeError:
        # The reader has seen enough; nothing may be written at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(NO)


def exit_code(error: AuditStreamError) -> int:
    """Return the exit code of an error."""
    if isinstance(error, ServiceUnavailableError):
        return UNREACHABLE
    return WRONG_USAGE if isinstance(error, ConfigurationError) else NO


def _fail(message: str, code: int) -> None:
    sys.stderr.write(f"auditstream: {message}\n")
    sys.exit(code)
