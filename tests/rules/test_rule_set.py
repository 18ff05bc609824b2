"""Rules read together: collections, filters, correlations, placeholders, and broken ones."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from auditstream.errors import RuleError
from auditstream.rules.correlation.model import Correlation
from auditstream.rules.files import RulesWatcher
from auditstream.rules.load import builtin_rules, load_rules, parse_rules
from auditstream.rules.rule import RuleProblem
from auditstream.rules.to_sql import compile_sql
from auditstream.rules.tree import And, Column, Equals, Holds, Not

HEAD = "logsource: {product: analyst_studio, service: audit}\n"
DELETED = f"""\
title: Group deleted
id: 6c0a1c2e-0a1b-4c3d-8e4f-5a6b7c8d9e0f
{HEAD}detection: {{selection: {{action: group_deleted}}, condition: selection}}
"""
CREATED = f"""\
title: Group created
{HEAD}detection: {{selection: {{action: group_created}}, condition: selection}}
"""
FILTER = f"""\
title: Not by the janitor
{HEAD}filter:
  rules: [group_deleted]
  janitor: {{actor_username: janitor}}
  condition: not janitor
"""
CORRELATION = """\
title: Many groups deleted
correlation:
  type: event_count
  rules: [group_deleted]
  group-by: [actor_id]
  timespan: 10m
  condition: {gte: 5}
"""


def collection(*documents: str) -> str:
    return "---\n".join(documents)


def test_collection() -> None:
    """A file may hold several rules; a rule without a name is named after its title."""
    found = parse_rules(collection(DELETED, CREATED), "groups.yml")
    assert [rule.name for rule in found.rules] == ["group_created", "group_deleted"]
    assert [rule.line for rule in found.rules] == [6, 1]
    assert [rule.sentence for rule in found.rules] == [None, None]


def test_filter() -> None:
    """A filter narrows the rules that it names, changes their hash, and leaves others alone."""
    plain = {rule.name: rule for rule in parse_rules(collection(DELETED, CREATED), "a").rules}
    found = {
        rule.name: rule for rule in parse_rules(collection(DELETED, CREATED, FILTER), "a").rules
    }
    deleted = found["group_deleted"]
    by_janitor = Holds(Column("actor_username", "text"), Equals(("janitor",), cased=False))
    assert deleted.tree == And((plain["group_deleted"].tree, Not(by_janitor)))
    assert deleted.content_hash != plain["group_deleted"].content_hash
    assert found["group_created"] == plain["group_created"]
    everywhere = collection(FILTER.replace("[group_deleted]", "any"), DELETED, CREATED)
    assert all("janitor" in compile_sql(rule) for rule in parse_rules(everywhere, "a").rules)
    by_id = FILTER.replace("[group_deleted]", "6c0a1c2e-0a1b-4c3d-8e4f-5a6b7c8d9e0f")
    assert "janitor" in compile_sql(parse_rules(collection(by_id, DELETED), "a").rules[0])


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("[group_deleted]", "[nothing]", 4, "there is no rule nothing"),
        ("  rules: [group_deleted]\n", "", 3, "rules"),
        ("actor_username: janitor", "janitor: true", 5, "janitor is not a field"),
        ("not janitor", "not janitors", 6, "janitors"),
        ("{actor_username: janitor}", "{action: group_deleted}", 3, "leaves nothing of rule"),
    ],
)
def test_wrong_filters(old: str, new: str, line: int, words: str) -> None:
    """What is wrong with a filter is told with its line."""
    assert old in FILTER
    with pytest.raises(RuleError) as caught:
        parse_rules(collection(FILTER.replace(old, new), DELETED), "f.yml")
    assert str(caught.value).startswith(f"f.yml:{line}: ")
    assert words in str(caught.value)


def test_correlation() -> None:
    """A correlation is linked to its rules, which alert only where it says so."""
    (rule,) = (found := parse_rules(collection(DELETED, CORRELATION), "c.yml")).rules
    (compound,) = found.correlations.rules.values()
    assert isinstance(compound, Correlation)
    assert compound.rules == (rule.name,)
    assert (compound.header.origin, compound.timespan) == ("c.yml", timedelta(minutes=10))
    assert not rule.alerts
    loud = CORRELATION.replace("timespan: 10m", "timespan: 10m\n  generate: true")
    assert parse_rules(collection(DELETED, loud), "c.yml").rules[0].alerts


def test_parts() -> None:
    """A rule that is but a part of others is silent, whether or not another rests on it."""
    mark = "auditstream: {part: true}\n"
    loud = CORRELATION.replace("timespan: 10m", "timespan: 10m\n  generate: true")
    for documents in ([DELETED + mark], [DELETED + mark, loud + mark]):
        found = parse_rules(collection(*documents), "p.yml")
        assert [rule.alerts for rule in found.rules] == [False]
        assert found.correlations.muted() == set(found.correlations.rules)


def test_a_correlation_of_nothing() -> None:
    """A correlation of a rule that is not there is told with its line, and stops no other."""
    lost = CORRELATION.replace("group_deleted", "nobody_knows")
    assert lost != CORRELATION
    with pytest.raises(RuleError, match=r"c\.yml:\d+: .*nobody_knows"):
        parse_rules(collection(DELETED, lost), "c.yml")


def test_placeholders(tmp_path: Path) -> None:
    """Placeholders have the values of the caller or of the directory; the hash tells them apart."""
    rule = DELETED.replace("action: group_deleted", "'entity_name|expand|startswith': '%vip% '")
    hashes = set()
    for values in (["Board", "Audit*"], ["Board"]):
        (found,) = parse_rules(rule, "p.yml", placeholders={"vip": values}).rules
        hashes.add(found.content_hash)
        for value in values:
            assert f"startsWith(lowerUTF8(e.entity_name), '{value.lower()} ')" in compile_sql(found)
    assert len(hashes) == 2
    (tmp_path / "rule.yml").write_text(rule)
    (tmp_path / "placeholders.yml").write_text("vip: [Legal, Finance]")
    found = next(rule for rule in load_rules(tmp_path).rules if rule.name == "group_deleted")
    assert "'legal '" in compile_sql(found)
    (tmp_path / "placeholders.yml").write_text("vip: {a: 1}")
    with pytest.raises(RuleError, match=r"placeholders\.yml:1: vip"):
        load_rules(tmp_path)


def test_broken_rules_are_left_out(tmp_path: Path) -> None:
    """A broken rule does not stop the others, not even those of its file."""
    broken = CREATED.replace("group_created", "group_creatd")
    (tmp_path / "a.yml").write_text(collection(DELETED, broken))
    (tmp_path / "b.yml").write_text("title: [")
    (tmp_path / "c.yml").write_text(CREATED)
    found = load_rules(tmp_path, strict=False)
    names = {rule.name for rule in found.rules}
    assert names == {"group_created", "group_deleted", *(rule.name for rule in builtin_rules())}
    assert [(Path(item.file).name, item.line) for item in found.problems] == [
        ("a.yml", 8),
        ("b.yml", 1),
    ]
    assert "'group_creatd' can never match" in found.problems[0].message
    assert str(RuleProblem("a.yml", 8, "no")) == "a.yml:8: no"
    with pytest.raises(RuleError, match=r"a\.yml:8: "):
        load_rules(tmp_path)


def test_cases() -> None:
    """The tests beside a rule are kept with it."""
    cases = (
        "auditstream:\n  route: [security]\n  cases:\n"
        "    - {event: {action: group_deleted}, hit: true, sentence: gone}\n"
        "    - {events: [{action: group_created}, {action: group_created}], hit: false}\n"
    )
    (rule,) = parse_rules(DELETED + cases, "c.yml").rules
    assert [(len(case.events), case.hit, case.sentence, case.line) for case in rule.cases] == [
        (1, True, "gone", 8),
        (2, False, None, 9),
    ]
    assert rule.route == ("security",)


def test_watcher(tmp_path: Path) -> None:
    """Content, names and absence of rule files are changes; other files are not."""
    watcher = RulesWatcher(tmp_path)
    assert not watcher.changed()
    (tmp_path / "a.yml").write_text(DELETED)
    assert watcher.changed()
    assert not watcher.changed()
    (tmp_path / "a.yml").write_text(DELETED)
    (tmp_path / "README.md").write_text("# Rules")
    assert not watcher.changed()
    (tmp_path / "a.yml").rename(tmp_path / "b.yml")
    assert watcher.changed()
    (tmp_path / "b.yml").unlink()
    assert watcher.changed()
