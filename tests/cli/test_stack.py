from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from pydantic import SecretStr

from auditstream.cli.child import Child
from auditstream.cli.endpoint import listen
from auditstream.cli.stack import (
    environment_of,
    local_settings,
    served_settings,
    stopped_by_signals,
)
from auditstream.settings import load_settings
from tests.stack.poll import eventually


def test_children_get_exactly_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every setting is in the children's environment, and none of this process's besides."""
    monkeypatch.setenv("AUDITSTREAM_FETCH_ROWS", "7")
    monkeypatch.setenv("AUDITSTREAM_TEST_ANYTHING", "1")
    monkeypatch.setenv("ELSEWHERE", "kept")
    settings = load_settings(fetch_rows=9, clickhouse_password="secret", rules_dir="rules")
    environment = environment_of(settings)
    assert environment["ELSEWHERE"] == "kept"
    assert "AUDITSTREAM_TEST_ANYTHING" not in environment
    monkeypatch.delenv("AUDITSTREAM_TEST_ANYTHING")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    inherited = load_settings()
    assert inherited == settings.model_copy(update={"rules_dir": Path("rules").absolute()})


def test_embedded_services_are_asked_for_no_password() -> None:
    """Addresses and credentials of elsewhere are replaced, the rest is kept."""
    base = load_settings(
        kafka_security_protocol="SASL_SSL",
        kafka_password="p",
        clickhouse_user="u",
        retention_days=9,
    )
    local = local_settings(base, "127.0.0.1:1", "http://127.0.0.1:2")
    assert (local.kafka_brokers, local.clickhouse_url) == ("127.0.0.1:1", "http://127.0.0.1:2")
    assert local.kafka_security_protocol == "PLAINTEXT"
    assert local.kafka_password is None
    assert local.clickhouse_password == SecretStr("")
    assert local.retention_days == 9


def test_port_of_the_endpoint() -> None:
    """It is the wanted one, where that is free, and the settings follow it."""
    with listen(0) as first:
        host, port = first.getsockname()
        with listen(port) as second:
            assert second.getsockname()[1] != port
        settings = served_settings(load_settings(), host, port)
        assert (settings.api_port, settings.explorer_url) == (port, f"http://127.0.0.1:{port}")
        base = load_settings(explorer_url="https://audit.example")
        assert served_settings(base, host, port).explorer_url == "https://audit.example"
    with listen(port) as again:
        assert again.getsockname()[1] == port


def test_child_is_stopped_and_its_output_kept(tmp_path: Path) -> None:
    """Leaving it ends the process; what it wrote is in its files."""
    with Child("help", ["auditstream.cli", "--nonsense"], os.environ, tmp_path) as child:
        eventually(lambda: child.exit_code is not None, within=20, what="the end")
    assert child.exit_code == 2
    assert "nonsense" in child.tail()
    assert child.out.read_text() == ""


def test_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    """A SIGKILL of the parent leaves no child behind."""
    program = (
        "import os, time; from pathlib import Path; from auditstream.cli.child import Child\n"
        "module = ['http.server', '0', '-b', '127.0.0.1']\n"
        f"with Child('c', module, os.environ, Path({str(tmp_path)!r})) as child:\n"
        "    print(child.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        eventually(lambda: "http.server" in child.cmdline(), within=20, what="the child's program")
        parent.kill()
        child.wait(10)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_lets_blocks_clean_up_once(number: signal.Signals) -> None:
    """The first signal interrupts, the next does not cut the cleaning up short."""
    cleaned = []

    def interrupted() -> None:
        with stopped_by_signals():
            try:
                signal.raise_signal(number)
            finally:
                signal.raise_signal(number)
                cleaned.append(True)

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert cleaned == [True]
