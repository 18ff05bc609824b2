"""Reading one SQL statement: its output format, and where an INSERT takes its data from.

chDB takes no binary data with a statement, so the data of an INSERT goes to a file, and the
statement is rewritten to read that file. Only ClickHouse's tokens are understood here, and as much
of its grammar as that needs.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from auditstream.embedded.statement_error import (
    INTO_OUTFILE_NOT_ALLOWED,
    SYNTAX_ERROR,
    UNKNOWN_FORMAT,
    refused,
)

_TOKEN = re.compile(
    rb"""
    (?P<space> \s+ | (?:--|//|\#[!\ ])[^\n]* )
  | (?P<comment> /\* )
  | (?P<string> '(?:[^'\\]++|\\.|'')*+' | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$ )
  | (?P<quoted> `(?:[^`\\]++|\\.|``)*+` | "(?:[^"\\]++|\\.|"")*+" )
  | (?P<word> \w+ )
  | (?P<sign> . )
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE = re.compile(rb"/\*|\*/")
_DATA_GAP = re.compile(rb"[ \t\f]*\r?\n?")
_SELECTS = {"SELECT", "WITH", "("}
_SHOWS = {"FROM", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "EXISTS", "CHECK"}


@dataclass(frozen=True)
class InsertData:
    """Data that follows an INSERT from the offset `start` of the text it was read from."""

    start: int
    _before: bytes
    _reader: bytes
    _after: bytes


@dataclass(frozen=True)
class Statement:
    """One statement, and what matters of it for answering.

    `format`: the name in its FORMAT clause, if it returns rows. `data`: where an INSERT's data is,
    None when the statement takes none or holds it itself, as VALUES. `streams`: its rows can be
    had block by block.
    """

    text: bytes
    format: str | None
    data: InsertData | None
    returns_rows: bool
    streams: bool
    _rows_end: int | None

    def reading(self, path: Path) -> Statement:
        """Return this INSERT with data as one that reads the data from the file `path`."""
        data = self.data
        assert data is not None  # noqa: S101  (the caller's promise)
        text = data._before + data._reader % str(path).encode() + data._after
        return replace(self, text=text, data=None)

    def writing(self, path: Path) -> Statement | None:
        """Return this SELECT as one that writes its rows to the file `path`, None for others."""
        if self._rows_end is None:
            return None
        head, tail = self.text[: self._rows_end], self.text[self._rows_end :]
        clause = f"\nINTO OUTFILE '{path}'\n".encode()
        return replace(self, text=head + clause + tail)


def read_statement(text: bytes, formats: Collection[str]) -> Statement:
    """Return the statement that `text` is, or, with data behind it, begins with.

    `formats`: the names of known formats in lower case. Raises StatementError with code 62 when a
    second statement follows, 73 for rows in an unknown format, 358 for rows to a file of its own.
    """
    tokens = _Tokens(text)
    if tokens[0].name == "INSERT":
        data = _insert_data(text, tokens, formats)
        return Statement(text, None, data, returns_rows=False, streams=False, _rows_end=None)
    output_format = None
    rows_end = 0
    names = set()
    for index, token in enumerate(tokens):
        _refuse_second(tokens, index)
        names.add(token.name)
        if token.name == "OUTFILE" and tokens[index - 1].name == "INTO":
            raise refused(INTO_OUTFILE_NOT_ALLOWED, "INTO_OUTFILE_NOT_ALLOWED", "INTO OUTFILE")
        if name := _format(text, tokens, index, formats):
            output_format = name
            rows_end = token.start
        elif _is_unknown_format(tokens, index):
            name = tokens[index + 1].name
            raise refused(UNKNOWN_FORMAT, "UNKNOWN_FORMAT", f"Unknown format {name}")
        elif token.name != ";" and output_format is None:
            rows_end = token.end
    selects = tokens[0].name in _SELECTS and "INSERT" not in names
    return Statement(
        text,
        output_format,
        None,
        returns_rows=selects or tokens[0].name in _SHOWS,
        streams=selects and "TOTALS" not in names,
        _rows_end=rows_end if selects else None,
    )


@dataclass(frozen=True)
class _Token:
    """`name` is a word or sign in upper case, and empty for literals and quoted identifiers."""

    name: str
    start: int
    end: int
    depth: int


class _Tokens:
    """The tokens of a text without space and comments, read as far as they are asked for."""

    def __init__(self, text: bytes) -> None:
        self._more = _read_tokens(text)
        self._read: list[_Token] = []
        self._end = _Token("END", len(text), len(text), 0)

    def __getitem__(self, index: int) -> _Token:
        while len(self._read) <= index:
            token = next(self._more, None)
            if token is None:
                return self._end
            self._read.append(token)
        return self._read[index]

    def __iter__(self) -> Iterator[_Token]:
        index = 0
        while (token := self[index]) is not self._end:
            yield token
            index += 1


def _read_tokens(text: bytes) -> Iterator[_Token]:
    position = depth = 0
    while (match := _TOKEN.match(text, position)) is not None:
        start, position = match.span()
        kind = match.lastgroup
        if kind == "comment":
            position = _comment_end(text, position)
        elif kind in ("word", "sign"):
            name = match[0].decode("latin-1").upper()
            depth -= name in (")", "]")
            yield _Token(name, start, position, depth)
            depth += name in ("(", "[")
        elif kind != "space":
            yield _Token("", start, position, depth)


def _comment_end(text: bytes, position: int) -> int:
    depth = 1
    while depth and (edge := _COMMENT_EDGE.search(text, position)) is not None:
        depth += 1 if edge[0] == b"/*" else -1
        position = edge.end()
    return len(text) if depth else position


def _insert_data(text: bytes, tokens: _Tokens, formats: Collection[str]) -> InsertData | None:
    selects = False
    settings: int | None = None
    source: int | None = None
    for index, token in enumerate(tokens):
        _refuse_second(tokens, index)
        if _is_input(text, tokens, index):
            source = index
        if token.depth > 0:
            continue
        if token.name in ("VALUES", "INFILE"):
            return None
        if token.name in ("SELECT", "WITH"):
            selects = True
        elif token.name == "SETTINGS" and settings is None:
            settings = token.start
        name = _format(text, tokens, index, formats)
        if name is None or (selects and source is None):
            continue
        end = tokens[index + 1].end
        gap = next(_DATA_GAP.finditer(text, end))
        if source is None:
            place = token.start if settings is None else settings
            return InsertData(gap.end(), text[:place], b"FROM INFILE '%b' ", text[place:end])
        before, after = text[: tokens[source].start], text[tokens[source + 1].end : token.start]
        reader = b"file('%b', '" + name.encode() + b"', "
        return InsertData(gap.end(), before, reader, after)
    return None


def _is_input(text: bytes, tokens: _Tokens, index: int) -> bool:
    """Whether the table function `input('structure')` begins here."""
    if tokens[index].name != "INPUT" or tokens[index + 1].name != "(":
        return False
    argument = tokens[index + 2]
    return text[argument.start : argument.start + 1] in (b"'", b"$")


def _format(text: bytes, tokens: _Tokens, index: int, formats: Collection[str]) -> str | None:
    """Return the name when the clause `FORMAT name` begins here, at depth 0."""
    token, name = tokens[index], tokens[index + 1]
    if token.name != "FORMAT" or token.depth > 0 or name.name.lower() not in formats:
        return None
    return text[name.start : name.end].decode()


def _is_unknown_format(tokens: _Tokens, index: int) -> bool:
    """Whether the statement ends with `FORMAT name` here, the name being none that is known."""
    last = tokens[index].name == "FORMAT" and tokens[index + 2].name in (";", "END")
    return last and tokens[index].depth == 0 and tokens[index + 1].name.isidentifier()


def _refuse_second(tokens: _Tokens, index: int) -> None:
    if tokens[index].name == ";" and tokens[index + 1].name not in (";", "END"):
        raise refused(SYNTAX_ERROR, "SYNTAX_ERROR", "Multi-statements are not allowed")
