"""A record on which the pipeline fails is set aside alone."""

from __future__ import annotations

from typing import Final

import pytest

from auditstream.contract.catalogue import Catalogue, shipped_catalogue
from auditstream.errors import ServiceUnavailableError
from auditstream.pipeline.history import History
from auditstream.pipeline.pipeline import Pipeline
from auditstream.pipeline.records import Batch, Processed, Records
from auditstream.worker.quarantine import process_all
from tests.pipeline.batches import pipeline
from tests.pipeline.events import encode, event, records
from tests.pipeline.past import NoPast

CURSED: Final = "cursed"


class PanicError(BaseException):
    """What Polars raises is no Exception either."""


class Fragile(Pipeline):
    """A pipeline with a defect: it breaks on events of one service."""

    def __init__(self, catalogue: Catalogue, error: BaseException) -> None:
        super().__init__(catalogue, ())
        self._error = error

    def process(self, records: Records, history: History, read: Batch | None = None) -> Processed:
        """Process the records, or break."""
        if any(value is not None and CURSED.encode() in value for value in records.values):
            raise self._error
        return super().process(records, history, read)


def cursed(number: int) -> bytes:
    """An event that breaks the pipeline."""
    source = {"service": CURSED, "epoch": 1, "sequence": number}
    return encode(event(number=number, source=source))


def fetch(places: set[int], count: int = 20) -> Records:
    """Records of which those at the places break the pipeline."""
    return records([cursed(n) if n in places else encode(event(number=n)) for n in range(count)])


@pytest.mark.parametrize("error", [RuntimeError("defect"), PanicError("panic")])
@pytest.mark.parametrize("places", [{0}, {7}, {19}, {3, 4, 18}, set(range(20))])
def test_the_record_at_fault_is_set_aside(error: BaseException, places: set[int]) -> None:
    """It becomes a reject with its bytes; every neighbour is processed."""
    given = fetch(places)
    result = process_all(Fragile(shipped_catalogue(), error), given, NoPast())
    assert set(result.rejects["kafka_offset"]) == {given.offsets[place] for place in places}
    assert set(result.rejects["reason"]) == {"not_processed"}
    assert set(result.rejects["value"]) == {given.values[place] for place in places}
    assert result.events.height == 20 - len(places)
    assert result.rejects["message"].str.contains(str(error)).all()


def test_repeats_are_seen_across_the_halves() -> None:
    """An event in one half and its repeat in the other are stored once all the same."""
    values = [encode(event(number=1)), cursed(2), encode(event(number=3)), encode(event(number=1))]
    result = process_all(
        Fragile(shipped_catalogue(), RuntimeError("defect")), records(values), NoPast()
    )
    assert result.events.height == 2
    assert result.duplicates == 1


def test_a_history_that_is_away_is_no_defect() -> None:
    """While the history cannot be read nothing is set aside."""
    broken = Fragile(shipped_catalogue(), ServiceUnavailableError("away"))
    with pytest.raises(ServiceUnavailableError):
        process_all(broken, fetch({3}), NoPast())


def test_a_sound_pipeline_is_left_alone() -> None:
    """Without a defect nothing changes."""
    result = process_all(pipeline(), fetch(set()), NoPast())
    assert (result.events.height, result.rejects.height) == (20, 0)
