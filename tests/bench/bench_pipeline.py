"""How fast the pipeline is: `python -m tests.bench.bench_pipeline [--rows N] [--rounds N]`.

Prints, for each step and in total, over rounds: milliseconds for a batch at best and in the median,
and events per second in the median. History answers at once, with nothing.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import polars as pl

from auditstream.contract.catalogue import shipped_catalogue
from auditstream.contract.schemas import shipped_schemas
from auditstream.pipeline.actions import Actions
from auditstream.pipeline.address import Addresses
from auditstream.pipeline.decode import decode
from auditstream.pipeline.deduplicate import deduplicate
from auditstream.pipeline.detect import Detector
from auditstream.pipeline.enrich import Enricher
from auditstream.pipeline.look_up import look_up_events, look_up_roles
from auditstream.pipeline.pipeline import Limits, Pipeline
from auditstream.pipeline.records import Records
from auditstream.pipeline.sentence import Sentences
from auditstream.pipeline.validate import validate
from auditstream.pipeline.writers import Writers
from auditstream.rules.load import load_rules
from tests.pipeline.events import NOW, encode, records, typical_events
from tests.pipeline.past import NoPast

T = TypeVar("T")
Times = dict[str, list[float]]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    batches = [make_batch(arguments.rows, seed) for seed in range(3)]
    size = sum(len(value or b"") for value in batches[0].values) / arguments.rows
    print(
        f"batches of {arguments.rows} events of {size:.0f} bytes, {pl.thread_pool_size()} threads"
    )
    times: Times = {}
    steps = Steps(times)
    pipeline = Pipeline(shipped_catalogue(), load_rules().rules, clock=lambda: NOW)
    for number in range(arguments.rounds + 2):
        batch = batches[number % len(batches)]
        steps.run(batch)
        timed(times, "process (all steps)", partial(pipeline.process, batch, NoPast()))
    bad = damaged(batches[0])
    for _ in range(arguments.rounds + 2):
        timed(times, "process, 1 not UTF-8", partial(pipeline.process, bad, NoPast()))
    for name, rounds in times.items():
        best, middle = min(rounds[2:]), statistics.median(rounds[2:])
        speed = arguments.rows / middle
        print(f"{name:<22}{best * 1e3:8.1f} ms{middle * 1e3:8.1f} ms{speed:12,.0f} events/s")


class Steps:
    """The steps of the pipeline one by one, each with its time."""

    def __init__(self, times: Times) -> None:
        catalogue = shipped_catalogue()
        self.times = times
        self.writers = Writers(shipped_schemas().get)
        self.actions = Actions(catalogue)
        self.enricher = Enricher(self.actions, Sentences(catalogue), Addresses(), 300.0)
        self.detector = Detector(load_rules().rules)

    def run(self, batch: Records) -> None:
        """Run all steps on a batch."""
        times, past = self.times, NoPast()
        limits = Limits()
        decoded = timed(times, "decode", lambda: decode(batch, self.writers, NOW, 1 << 20))
        valid = timed(
            times, "validate", lambda: validate(decoded, self.actions, limits.max_future_seconds)
        )
        known = timed(times, "look up events", lambda: look_up_events(valid.events, past))
        single = timed(times, "deduplicate", lambda: deduplicate(valid, known))
        roles = timed(
            times, "look up roles", lambda: look_up_roles(single.events, past, self.actions)
        )
        events = timed(times, "enrich", lambda: self.enricher.enrich(single, roles))
        timed(times, "detect", lambda: self.detector.detect(events, NOW))


def timed(times: Times, name: str, run: Callable[[], T]) -> T:
    """Run and note the seconds it took."""
    start = time.perf_counter()
    result = run()
    times.setdefault(name, []).append(time.perf_counter() - start)
    return result


def make_batch(rows: int, seed: int) -> Records:
    """Return records of the catalogue's proportions."""
    return records([encode(datum) for datum in typical_events(rows, seed)])


def damaged(batch: Records) -> Records:
    """Return the records with one in the middle that is not UTF-8."""
    values = list(batch.values)
    middle = values[len(values) // 2] or b""
    values[len(values) // 2] = middle.replace(b"acme", b"ac\xffe", 1)
    return records(values)


if __name__ == "__main__":
    main()
