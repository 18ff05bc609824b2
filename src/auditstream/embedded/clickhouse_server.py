"""The process of the embedded ClickHouse: ClickHouse's HTTP interface in front of chDB.

Run as `python -m auditstream.embedded.clickhouse_server --path DIRECTORY --port PORT`. It listens
on 127.0.0.1 only. User names and passwords are accepted and ignored: who can connect to the port
has all rights in the engine, reading files as the user it runs under included.
"""

from __future__ import annotations

import argparse
import fcntl
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import IO

from auditstream.embedded.ports import LOOPBACK
from auditstream.errors import AuditStreamError, ConfigurationError, ServiceUnavailableError

_LOG = logging.getLogger(__name__)
_LOCK_SECONDS = 5.0
_DRAIN_SECONDS = 10.0
_CANCEL_SECONDS = 5.0
_POLL_SECONDS = 0.05
_PATTERN_SIGNS = set("*?{}")


def main() -> int:
    """Serve until SIGTERM; return the exit code."""
    parser = argparse.ArgumentParser(prog="clickhouse_server", description=__doc__)
    parser.add_argument("--path", type=Path, required=True, help="directory of the data")
    parser.add_argument("--port", type=int, required=True, help="port to listen on")
    arguments = parser.parse_args()
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return serve(arguments.path, arguments.port)
    except AuditStreamError as error:
        _LOG.error("%s", error)
        return 1


def serve(path: Path, port: int) -> int:
    """Serve the directory `path`, made if missing, until SIGTERM; return the exit code.

    Raises ConfigurationError for a directory whose path ClickHouse would take for a pattern, and
    ServiceUnavailableError when another process holds the directory for more than 5 s.
    """
    # ClickHouse takes the path of a file as a pattern, and reads nothing where nothing matches.
    if _PATTERN_SIGNS & set(str(path.resolve())):
        raise ConfigurationError(f"the data cannot be in {path}: none of *?{{}} may be in its path")
    path.mkdir(parents=True, exist_ok=True)
    # chDB is imported within its directory: it reads a config.xml of the one it is imported in.
    os.chdir(path)
    with Path("lock").open("wb") as lock:
        _hold(lock, path)
        from auditstream.embedded.engine import Engine
        from auditstream.embedded.gateway import Gateway
        from auditstream.embedded.scratch import sweep

        sweep()
        engine = Engine("db")
        gateway = Gateway((LOOPBACK, port), engine)
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=gateway.shutdown).start())
        _LOG.info("ClickHouse %s on http://%s:%d, data in %s", engine.version, LOOPBACK, port, path)
        gateway.serve_forever(poll_interval=_POLL_SECONDS)
        gateway.server_close()
        if not gateway.drain(_DRAIN_SECONDS):
            engine.cancel()
            if not gateway.drain(_CANCEL_SECONDS):
                _LOG.error("statements still run: leaving without closing the engine")
                os._exit(1)
        engine.close()
        return 0


def _hold(lock: IO[bytes], path: Path) -> None:
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise ServiceUnavailableError(
                    f"another process uses the data in {path}: end it, or give another directory"
                ) from None
            time.sleep(_POLL_SECONDS)
        else:
            return


if __name__ == "__main__":
    sys.exit(main())
