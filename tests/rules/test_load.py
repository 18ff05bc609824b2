"""Detection rules from files."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from auditstream.errors import ConfigurationError, RuleError
from auditstream.rules.load import builtin_rules, load_rules, parse_rule
from auditstream.rules.tree import (
    Absent,
    And,
    Column,
    Compare,
    Equals,
    Holds,
    Not,
    Or,
)

TEXT = """\
title: Somebody read the log
id: 6c0a1c2e-0a1b-4c3d-8e4f-5a6b7c8d9e0f
name: log_read
status: test
description: Somebody read the audit log from outside.
level: low
logsource:
  product: analyst_studio
  service: audit
detection:
  selection:
    action: audit_log_accessed
    ip_class: [public, null]
    delay_seconds|gte: 1.5
  filter:
    country: NL
  condition: selection and not filter
falsepositives:
  - An auditor at home.
auditstream:
  sentence: "{actor} read the log[ as {role}]"
  reason: The log tells who may do what.
  group_by: [workspace_id, actor_id]
  window: 90m
tags: [attack.discovery, attack.t1087.004]
author: somebody
date: 2026-01-01
"""


def test_rule() -> None:
    """A file gives one rule with all that it says."""
    rule = parse_rule(TEXT, "log_read.yml")
    assert (rule.name, rule.sigma_id) == ("log_read", "6c0a1c2e-0a1b-4c3d-8e4f-5a6b7c8d9e0f")
    assert (rule.title, rule.status, rule.level) == ("Somebody read the log", "test", "low")
    assert rule.tree == And(
        (
            Holds(Column("action", "text"), Equals(("audit_log_accessed",), cased=True)),
            Or(
                (
                    Absent(Column("ip_class", "text")),
                    Holds(Column("ip_class", "text"), Equals(("public",), cased=False)),
                )
            ),
            Holds(Column("delay_seconds", "real"), Compare("gte", Decimal("1.5"))),
            Not(Holds(Column("country", "text"), Equals(("nl",), cased=False))),
        )
    )
    assert rule.actions == {"audit_log_accessed"}
    assert (rule.tags, rule.attack) == (("attack.discovery", "attack.t1087.004"), ("T1087.004",))
    assert (rule.group_by, rule.window) == (("workspace_id", "actor_id"), timedelta(minutes=90))
    assert rule.runbook is None
    assert rule.false_positives == ("An auditor at home.",)
    assert rule.origin == "log_read.yml"


def test_hash_follows_the_content() -> None:
    """The hash changes with what a rule says, not with how the file is laid out."""
    rule = parse_rule(TEXT, "a")
    again = parse_rule(TEXT.replace("[public, null]", "\n      - public\n      - null"), "b")
    moved = parse_rule("level: low\n" + TEXT.replace("level: low\n", ""), "c")
    other = parse_rule(TEXT.replace("90m", "91m"), "a")
    assert rule.content_hash == again.content_hash == moved.content_hash != other.content_hash


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("title: Somebody read the log\n", "", 1, "title"),
        ("level: low", "level: urgent", 6, "level"),
        ("id: 6c0a", "id: 6c0", 2, "id"),
        ("name: log_read", "name: Log Read", 3, "name"),
        ("product: analyst_studio", "product: windows", 8, "product"),
        ("action: audit_log_accessed", "deed: audit_log_accessed", 12, "deed is not a field"),
        ("action: audit_log_accessed", "ingested_at: 1", 12, "differs between stream and table"),
        ("action: audit_log_accessed", "changes.role: a", 12, "changes.<field>.old"),
        ("action: audit_log_accessed", "metadata: a", 12, "metadata.<key>"),
        ("action: audit_log_accessed", "action: 7", 12, "7 is not a value of action"),
        ("action: audit_log_accessed", "action: audit", 12, "'audit' can never match; known are:"),
        ("action: audit_log_accessed", "action: audio*", 12, "can never match"),
        ("action: audit_log_accessed", "role: owner", 12, "'owner' can never match"),
        ("action: audit_log_accessed", "outcome: [success, fail]", 12, "'fail' can never match"),
        ("action: audit_log_accessed", "actor_type|re: ^a$", 12, "can never match"),
        ("action: audit_log_accessed", "action: null", 12, "never absent"),
        ("action: audit_log_accessed", "action: '*'", 12, "always matches"),
        ("action: audit_log_accessed", "action: []", 12, "empty"),
        ("action: audit_log_accessed", "action: {a: b}", 12, "action"),
        ("action: audit_log_accessed", "action: 2026-01-01", 12, "quote it"),
        ("action: audit_log_accessed", "entity_name|windash: -a", 12, "windash is left out"),
        ("action: audit_log_accessed", "entity_name|base64: a", 12, "base64 is left out"),
        ("action: audit_log_accessed", "entity_name|glob: a", 12, "modifier glob is not one of"),
        (
            "action: audit_log_accessed",
            "entity_name|re: (?=a)",
            12,
            "is invalid: (?= is not supported",
        ),
        ("action: audit_log_accessed", "entity_name|re: (a", 12, "entity_name"),
        ("action: audit_log_accessed", "entity_name|expand: '%vip%'", 12, "%vip% has no values"),
        ("action: audit_log_accessed", "actor_ip|cidr: 10.0.0.0/33", 12, "CIDR"),
        ("action: audit_log_accessed", "actor_id|fieldref: actor_id", 12, "with itself"),
        ("action: audit_log_accessed", "actor_id|fieldref: role_rank", 12, "differ in type"),
        ("action: audit_log_accessed", "actor_id|fieldref: nobody", 12, "not a field"),
        ("action: audit_log_accessed", "role_rank|gt: 255", 12, "can never match"),
        ("action: audit_log_accessed", "role_rank: 1.5", 12, "can never match"),
        ("action: audit_log_accessed", "role_rank: '1*'", 12, "wildcards"),
        ("action: audit_log_accessed", "occurred_at|hour: 24", 12, "can never match"),
        ("action: audit_log_accessed", "is_late: 'yes'", 12, "not a value of is_late"),
        ("action: audit_log_accessed", "action|gt: a", 12, "incompatible"),
        ("delay_seconds|gte: 1.5", "delay_seconds|gte: null", 14, "incompatible"),
        ("delay_seconds|gte: 1.5", "delay_seconds: true", 14, "delay_seconds"),
        ("delay_seconds|gte: 1.5", "action: group_created", 14, "stands here twice"),
        ("country: NL", "country: no", 16, "quote it"),
        ("selection and not filter", "selection or other", 17, "other"),
        ("selection and not filter", "selection and (filter", 17, "condition"),
        ("selection and not filter", "selection | count() > 5", 17, "deprecated"),
        ("selection and not filter", "1 of sel* and not 1 of x*", 17, "x*"),
        ("condition: selection and not filter", "condition: selection", 15, "filter is not used"),
        ("condition: selection and not filter", "condition: [[a]]", 17, "condition"),
        (
            "selection and not filter",
            "selection and not selection or filter and not filter",
            17,
            "never",
        ),
        ("country: NL", "action: audit_log_accessed", 17, "the rule can never match"),
        ("{actor} read", "{author} read", 21, "{author} is not one of"),
        ("[workspace_id, actor_id]", "[workspace_id, role_rank]", 23, "role_rank is not a field"),
        ("window: 90m", "window: 90", 24, "window"),
        ("window: 90m", "window: 90m\n  color: red", 25, "color"),
        ("window: 90m", "window: 90m\n  cases: [{hit: true}]", 25, "one event, or several"),
        ("tags: [attack", "tags: ]attack", 25, "not YAML"),
    ],
)
def test_wrong_rules(old: str, new: str, line: int, words: str) -> None:
    """What is wrong is told with file, line and words."""
    assert TEXT.count(old) == 1
    with pytest.raises(RuleError) as caught:
        parse_rule(TEXT.replace(old, new), "log_read.yml")
    assert str(caught.value).startswith(f"log_read.yml:{line}: ")
    assert words in str(caught.value)


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just text", "\x00"])
def test_no_rule_at_all(text: str) -> None:
    """A file that holds no mapping is refused on its first line."""
    with pytest.raises(RuleError, match=r"^empty\.yml:1: "):
        parse_rule(text, "empty.yml")


def test_own_rules_beside_the_built_in_ones(tmp_path: Path) -> None:
    """Rules of a directory join the built-in ones; other files are left alone."""
    (tmp_path / "log_read.yml").write_text(TEXT)
    (tmp_path / "other.yaml").write_text(
        TEXT.replace("log_read", "log_read_too").replace("6c0a1c2e", "7c0a1c2e")
    )
    (tmp_path / "README.md").write_text("# Our rules")
    names = [rule.name for rule in load_rules(tmp_path).rules]
    assert names == sorted({"log_read", "log_read_too", *(rule.name for rule in builtin_rules())})
    assert load_rules().rules == tuple(sorted(builtin_rules(), key=lambda rule: rule.name))


def test_two_rules_of_one_name(tmp_path: Path) -> None:
    """A name stands for one rule."""
    (tmp_path / "a.yml").write_text(TEXT)
    (tmp_path / "b.yml").write_text(TEXT)
    with pytest.raises(RuleError, match=r"b\.yml:3: a rule named log_read is already in .*a\.yml"):
        load_rules(tmp_path)


def test_no_directory(tmp_path: Path) -> None:
    """A directory that is not there is a wrong setting; a file that is not text is a wrong rule."""
    with pytest.raises(ConfigurationError, match="AUDITSTREAM_RULES_DIR"):
        load_rules(tmp_path / "missing")
    (tmp_path / "binary.yml").write_bytes(b"\xff\xfe")
    with pytest.raises(RuleError, match=r"binary\.yml:1: "):
        load_rules(tmp_path)
