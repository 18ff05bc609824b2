"""Names from events made harmless where they are shown: no links, mentions, lines or escapes."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

UNPRINTABLE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})

_SCHEME: Final = re.compile(r"(?<=\w):(?=//)")
_WWW: Final = re.compile(r"\bwww\.", re.IGNORECASE)
_MENTION: Final = re.compile(r"(?<!\w)@")
_LINK: Final = re.compile(r"https?://[^\s<>|()\[\]\"'`\\{}^]+")
_CHAT: Final = str.maketrans(
    {"<": "‹", ">": "›", "|": "¦", "[": "［", "]": "］", "`": "ˋ", "*": "∗", "\\": "⧵", "~": "∼"}  # noqa: RUF001
)


def printable(text: str) -> str:
    """Return `text` with what could move the cursor or hide a letter replaced by U+FFFD."""
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(letter) in UNPRINTABLE else letter
        for letter in text
    )


def unlinked(text: str) -> str:
    """Return `text` as one printable line that no program takes for a link."""
    return _WWW.sub(
        "www\N{FULLWIDTH FULL STOP}", _SCHEME.sub("\N{FULLWIDTH COLON}", printable(text))
    )


def chat(text: str) -> str:
    """Return `text` as one line without links, mentions and markup of Markdown or Slack."""
    return _MENTION.sub("\N{FULLWIDTH COMMERCIAL AT}", unlinked(text).translate(_CHAT))


def web_link(text: str | None) -> str | None:
    """Return `text` if it is a plain http or https address that needs no escaping, else None."""
    return text if text is not None and _LINK.fullmatch(text) else None
