"""Rules that others wrote, read as rules of ours, and events made of their values."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from hypothesis import strategies as st

from auditstream.store.columns import EVENT_SCHEMA
from tests.rules.strategies import draw_many
from tests.store.rows import event_rows

ROOT = Path(__file__).parents[2]
DIRECTORY = Path(os.environ.get("AUDITSTREAM_TEST_SIGMA", ROOT.parent / "shared/data/sigmahq"))
FIELDS = yaml.safe_load((Path(__file__).parent / "sigmahq_fields.yml").read_text())["columns"]

Setting = dict[str, Any]


@cache
def public_rules() -> dict[str, dict[str, Any]]:
    """Return the documents by file name, with our logsource and fields."""
    files = sorted(DIRECTORY.rglob("*.yml"))
    if not files:
        missing = f"there are no Sigma rules in {DIRECTORY}"
        if os.environ.get("CI") == "true":
            pytest.fail(f"required where CI=true: {missing}", pytrace=False)
        pytest.skip(missing)
    return {file.name: _read(file) for file in files}


def _read(file: Path) -> dict[str, Any]:
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    document["logsource"] = {"product": "analyst_studio", "service": "audit"}
    document["detection"] = _renamed(document["detection"])
    # Whatever else stands in the head of a public rule is not what is tried here.
    return {name: document[name] for name in ("title", "logsource", "detection")}


def _renamed(detection: dict[str, Any]) -> dict[str, Any]:
    return {
        name: definition if name == "condition" else _with_our_fields(definition)
        for name, definition in detection.items()
    }


def _with_our_fields(definition: Any) -> Any:
    if isinstance(definition, list):
        return [_with_our_fields(item) for item in definition]
    if not isinstance(definition, dict):
        return definition
    return {_our_key(key): value for key, value in definition.items()}


def _our_key(key: str) -> str:
    field, *modifiers = key.split("|")
    return "|".join([FIELDS.get(field, f"metadata.{field}") if field else "", *modifiers])


def events_for(document: dict[str, Any], seed: int) -> list[Setting]:
    """Return what events would have to say to meet detections of a rule, alone and together."""
    draw = random.Random(seed)
    detection = document["detection"]
    names = [name for name in detection if name != "condition"]
    wanted = [name for name in names if not name.startswith("filter")]
    chosen = [names, wanted, wanted, wanted, *([name] for name in names)]
    return [_setting([detection[name] for name in some], draw) for some in chosen]


def _setting(definitions: list[Any], draw: random.Random) -> Setting:
    said: Setting = {}
    for definition in definitions:
        items = definition if isinstance(definition, list) else [definition]
        if not any(isinstance(item, dict) for item in items):
            said["sentence"] = f"so {draw.choice(items)} it was"
            continue
        chosen = draw.choice([item for item in items if isinstance(item, dict)])
        for key, value in chosen.items():
            field, *modifiers = key.split("|")
            text = _text(modifiers, value, draw)
            both = {"contains", "all"} & {*modifiers} and said.get(field)
            said[field or "sentence"] = f"{text} {said[field]}" if both else text
    return said


def _text(modifiers: list[str], value: Any, draw: random.Random) -> str | None:
    values = value if isinstance(value, list) else [value]
    if "all" in modifiers:
        return " ".join(str(_text(["contains"], item, draw)) for item in values)
    chosen = draw.choice(values)
    if chosen is None or modifiers == ["exists"]:
        return None if chosen is None else "there" if chosen else None
    if isinstance(chosen, bool):
        return draw.choice(["true", "True"]) if chosen else "false"
    text = str(chosen)
    if "re" in modifiers:
        return _examples(text)[draw.randrange(len(_examples(text)))]
    if "cidr" in modifiers:
        return text.partition("/")[0]
    if "gt" in modifiers or "gte" in modifiers or "lt" in modifiers or "lte" in modifiers:
        return str(int(float(text)) + draw.randrange(-1, 2))
    text = _plain(text, draw)
    before = draw.choice(["", "x", "C:\\"]) if {"contains", "endswith"} & {*modifiers} else ""
    after = draw.choice(["", "y", ".exe"]) if {"contains", "startswith"} & {*modifiers} else ""
    text = before + text + after
    return draw.choice([text, text.upper(), text.swapcase()])


@cache
def _examples(pattern: str) -> list[str]:
    return draw_many(st.from_regex(pattern), 5)


def _plain(text: str, draw: random.Random) -> str:
    letters: Iterator[str] = iter(text)
    plain = []
    for letter in letters:
        if letter == "\\":
            following = next(letters, "")
            plain.append(following if following in ("*", "?", "\\") else letter + following)
        elif letter in "*?":
            plain.append(draw.choice(["", "any thing"]) if letter == "*" else "q")
        else:
            plain.append(letter)
    return "".join(plain)


def frame_of(settings: list[Setting]) -> pl.DataFrame:
    """Return events that say what is set, in columns and metadata."""
    base = event_rows(len(settings), seed=3)
    columns = sorted({name for said in settings for name in said if name in EVENT_SCHEMA})
    texts = [
        pl.Series(name, [said.get(name, "") for said in settings], pl.String).fill_null("")
        for name in columns
    ]
    pairs = [
        [
            {"key": name.removeprefix("metadata."), "value": value}
            for name, value in said.items()
            if name.startswith("metadata.") and value is not None
        ]
        for said in settings
    ]
    metadata = pl.Series("metadata", pairs, EVENT_SCHEMA["metadata"])
    return base.with_columns(*texts, metadata)
