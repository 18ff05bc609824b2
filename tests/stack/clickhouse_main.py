"""A ClickHouse server out of its shared library, until SIGTERM.

clickhouse_main.py LIBRARY CONFIG DATA PORT: serves HTTP on 127.0.0.1:PORT, with its data in
the folder DATA. Exit code 0 after SIGTERM, 1 when it cannot serve.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from pathlib import Path

SHUTDOWN_SECONDS = 25.0
STDERR = 2


class Result(ctypes.Structure):
    """`struct local_result_v2` of chdb.h."""

    _fields_ = (
        ("buf", ctypes.c_void_p),
        ("len", ctypes.c_size_t),
        ("vec", ctypes.c_void_p),
        ("elapsed", ctypes.c_double),
        ("rows_read", ctypes.c_uint64),
        ("bytes_read", ctypes.c_uint64),
        ("error_message", ctypes.c_char_p),
    )


def main(library: str, config: str, data: str, port: str) -> None:
    # Blocked in every thread from here on, so that only `sigwait` below takes it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    gate = Path(data).with_name("gate")
    gate.unlink(missing_ok=True)
    os.mkfifo(gate)
    writer = os.open(gate, os.O_RDWR)
    # The server listens while its query reads from the pipe: until the last writer closes it.
    query = f"SYSTEM START LISTEN HTTP; SELECT * FROM file('{gate}', 'LineAsString')"
    command = [
        "clickhouse",
        f"--config-file={config}",
        f"--path={data}",
        f"--http_port={port}",
        "--listen_host=127.0.0.1",
        "--log-level=warning",
        f"--query={query}",
    ]
    server = threading.Thread(target=_serve, args=(library, command), daemon=True)
    server.start()
    signal.sigwait({signal.SIGTERM})
    os.close(writer)
    server.join(SHUTDOWN_SECONDS)
    os.write(STDERR, b"the server has not shut down in time\n")
    os._exit(1)


def _serve(library: str, command: list[str]) -> None:
    # Leaves by `_exit`: the library's destructors at a usual exit may wait for its own threads.
    try:
        run = ctypes.CDLL(library).query_stable_v2
        run.restype = ctypes.POINTER(Result)
        argv = (ctypes.c_char_p * len(command))(*(part.encode() for part in command))
        result = run(len(command), argv)
        error = result.contents.error_message if result else b"no result"
    except OSError as raised:
        error = str(raised).encode()
    if error:
        os.write(STDERR, error + b"\n")
    os._exit(1 if error else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
