from __future__ import annotations

from email.message import Message

import pytest
from urllib3.filepost import encode_multipart_formdata

from auditstream.embedded.request import read_form, read_request
from auditstream.embedded.statement_error import StatementError


def headers(**values: str) -> Message:
    """Headers; an underscore in a name stands for a dash."""
    message = Message()
    for name, value in values.items():
        message[name.replace("_", "-")] = value
    return message


def test_parts_of_an_address() -> None:
    """Settings, query parameters and the interface's own parameters are told apart."""
    request = read_request(
        "/?query=SELECT%20%7Ba:String%7D&param_a=x%26y&max_threads=1&database=audit"
        "&default_format=JSON&wait_end_of_query=1&query_id=q&session_id=s&user=u&password=p"
        "&max_execution_time=2.5",
        headers(),
        {},
    )
    assert request.query == b"SELECT {a:String}"
    assert request.parameters == {"a": "x&y"}
    assert request.settings == {"max_threads": "1", "max_execution_time": "2.5"}
    assert (request.database, request.format, request.query_id) == ("audit", "JSON", "q")
    assert request.waits
    assert request.seconds == 2.5


def test_headers_name_database_and_format() -> None:
    """The address wins over the headers, and there are defaults."""
    found = headers(X_ClickHouse_Database="a", X_ClickHouse_Format="CSV")
    assert read_request("/", found, {}).database == "a"
    assert read_request("/", found, {}).format == "CSV"
    assert read_request("/?database=b&default_format=TSV", found, {}).database == "b"
    assert read_request("/?database=b&default_format=TSV", found, {}).format == "TSV"
    request = read_request("/", headers(), {})
    assert (request.database, request.format, request.seconds) == ("default", "TabSeparated", None)
    assert not request.waits


@pytest.mark.parametrize("value", ["0", "soon", ""])
def test_no_time_limit(value: str) -> None:
    """0 means none; what is no number is left to the engine to refuse."""
    assert read_request(f"/?max_execution_time={value}", headers(), {}).seconds is None


@pytest.mark.parametrize("name", ["compress", "decompress"])
def test_block_compression_is_refused(name: str) -> None:
    """Silence would give the client bytes it takes for something else."""
    with pytest.raises(StatementError, match="Content-Encoding") as caught:
        read_request(f"/?{name}=1", headers(), {})
    assert caught.value.status == 501


def test_form_fields() -> None:
    """Long parameters come as fields of a form, in any text."""
    text = "line\r\none\n\ttwo ü 'quoted' \\ --boundary"
    body, content_type = encode_multipart_formdata({"query": "SELECT {a:String}", "param_a": text})
    form = read_form(content_type, body)
    assert form == {"query": "SELECT {a:String}", "param_a": text}
    assert read_request("/?database=audit", headers(), form).parameters == {"a": text}


def test_external_table_is_refused() -> None:
    """A file in the form would be a table for the statement."""
    body, content_type = encode_multipart_formdata({"ids": ("ids.tsv", "1\n2\n")})
    with pytest.raises(StatementError, match="external tables"):
        read_form(content_type, body)
