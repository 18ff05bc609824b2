"""What many rules cost: `python -m tests.bench.bench_rules [--rows N] [--rounds N] [--seed N]`.

Prints, for 10 and for 1,000 rules of the same making, milliseconds of `Detector.detect` on a batch
(the median over rounds after two, each round with another batch), the alerts of all rounds, and the
ratio of the two. The rules are of the kinds people write: most about certain actions, some about
any; by role, outcome, names, addresses, hours, metadata, with exceptions.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import statistics
import time
from typing import Any

import polars as pl
import yaml

from auditstream.contract.catalogue import shipped_catalogue
from auditstream.contract.schemas import shipped_schemas
from auditstream.errors import RuleError
from auditstream.pipeline.actions import Actions
from auditstream.pipeline.address import Addresses
from auditstream.pipeline.decode import decode
from auditstream.pipeline.deduplicate import deduplicate
from auditstream.pipeline.detect import Detector
from auditstream.pipeline.enrich import Enricher
from auditstream.pipeline.look_up import look_up_events, look_up_roles
from auditstream.pipeline.sentence import Sentences
from auditstream.pipeline.validate import validate
from auditstream.pipeline.writers import Writers
from auditstream.rules.load import parse_rule
from auditstream.rules.rule import Rule
from tests.pipeline.events import NOW, encode, records, typical_events
from tests.pipeline.past import NoPast

FEW, MANY = 10, 1_000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rules = make_rules(MANY, arguments.seed)
    batches = [make_batch(arguments.rows, seed) for seed in range(arguments.rounds + 2)]
    medians = {}
    for count in (FEW, MANY):
        times, alerts = measure(rules[:count], batches)
        medians[count] = statistics.median(times[2:])
        print(
            f"{count:>5} rules: {medians[count] * 1e3:7.2f} ms a batch of {arguments.rows}, "
            f"first {times[0] * 1e3:.0f} ms, {alerts} alerts"
        )
    print(f"ratio {medians[MANY] / medians[FEW]:.2f}")


def measure(rules: list[Rule], batches: list[pl.DataFrame]) -> tuple[list[float], int]:
    """Return the seconds of each batch, and how many alerts there were."""
    detector = Detector(rules)
    times, alerts = [], 0
    for batch in batches:
        start = time.perf_counter()
        alerts += len(detector.detect(batch, NOW))
        times.append(time.perf_counter() - start)
    return times, alerts


def make_batch(rows: int, seed: int) -> pl.DataFrame:
    """Return enriched events of the catalogue's proportions."""
    catalogue = shipped_catalogue()
    actions, past = Actions(catalogue), NoPast()
    given = records([encode(datum) for datum in typical_events(rows, seed)])
    batch = decode(given, Writers(shipped_schemas().get), NOW, 1 << 20)
    batch = validate(batch, actions, 86_400.0)
    batch = deduplicate(batch, look_up_events(batch.events, past))
    enricher = Enricher(actions, Sentences(catalogue), Addresses(), 300.0)
    return enricher.enrich(batch, look_up_roles(batch.events, past, actions))


def make_rules(count: int, seed: int) -> list[Rule]:
    """Return rules as a company of some size would have them."""
    draw = random.Random(seed)
    rules: list[Rule] = []
    while len(rules) < count:
        with contextlib.suppress(RuleError):  # some draws are of things that never come together
            rules.append(_rule(len(rules), draw))
    return rules


def _rule(number: int, draw: random.Random) -> Rule:
    selection: dict[str, Any] = {}
    if draw.random() < 0.8:
        actions = sorted(shipped_catalogue().actions)
        selection["action"] = draw.sample(actions, draw.randrange(1, 4))
    if number % 200 == 7:  # one that finds something in every batch
        selection["actor_username"] = f"Person{number % 60}"
        selection["outcome"] = "denied"
    else:
        selection |= dict(draw.sample(_things(number, draw), draw.randrange(1, 3)))
    detection: dict[str, Any] = {"selection": selection, "condition": "selection"}
    if draw.random() < 0.4:
        detection["exception"] = dict(draw.sample(_exceptions(number, draw), 1))
        detection["condition"] = "selection and not exception"
    document = {
        "title": f"Rule {number}",
        "name": f"rule_{number}",
        "logsource": {"product": "analyst_studio", "service": "audit"},
        "detection": detection,
    }
    return parse_rule(yaml.safe_dump(document), f"rule_{number}.yml")


def _things(number: int, draw: random.Random) -> list[tuple[str, Any]]:
    return [
        ("actor_username", [f"contractor{number}", f"leaver{number}"]),
        ("actor_username|startswith", f"svc-{number}-"),
        ("actor_email|endswith", f"@partner{number}.example.com"),
        ("entity_name|contains", [f"payroll {number}", f"secret {number}"]),
        ("entity_id", f"crown-jewel-{number}"),
        ("entity_name|re", f"^prod-{number}-(eu|us)[0-9]+$"),
        ("group_name|contains|all", ["admins", str(number)]),
        ("member_email|endswith", f"@rival{number}.example"),
        ("actor_ip|cidr", f"198.{draw.randrange(18, 20)}.{draw.randrange(256)}.0/24"),
        ("actor_user_agent|contains", [f"sqlmap/{number}", f"python-requests/{number}."]),
        ("workspace_id", f"w-{number}"),
        ("metadata.ticket", f"CHG{number}"),
        ("metadata.client|contains", f"beta{number}"),
        ("outcome_reason|contains", f"policy {number} "),
    ]


def _exceptions(number: int, draw: random.Random) -> list[tuple[str, Any]]:
    return [
        ("actor_type", ["service_account", "system"]),
        ("outcome", ["failure", "denied"]),
        ("actor_username|contains", f"approved{number}"),
        ("role", ["view", "viewer"]),
        ("previous_role", "manage"),
        ("role_change|lte", 0),
        ("occurred_at|hour", draw.sample(range(24), 8)),
        ("entity_name|startswith", f"sandbox {number % 50}"),
        ("is_late", True),
    ]


if __name__ == "__main__":
    main()
