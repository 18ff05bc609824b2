"""What goes into the pipeline."""

from __future__ import annotations

from auditstream.pipeline.records import Records


def test_of_partitions() -> None:
    """Records of some partitions keep their order and all that belongs to them."""
    given = Records(
        "s", "t", [0, 1, 0, 2], [5, 9, 6, 1], [1, None, 3, 4], [b"a", b"b", None, b"d"],
        [b"1", None, b"3", b"4"],
    )  # fmt: skip
    assert given.of_partitions({0, 2}) == Records(
        "s", "t", [0, 0, 2], [5, 6, 1], [1, 3, 4], [b"a", None, b"d"], [b"1", b"3", b"4"]
    )
    assert given.of_partitions([0, 1, 2, 3]) is given
    assert len(given.of_partitions(())) == 0
