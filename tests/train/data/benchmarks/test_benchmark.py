"""A folder that is not the full benchmark says of which part it differs, so that a score of the test can be named."""

from __future__ import annotations

from pathlib import Path

from tests.train.data.benchmarks import trees
from train.data.benchmarks import denseuav, sues200, university1652, visloc
from train.data.benchmarks.benchmark import Count, CountLine, Deviation, count_deviations


def test_a_line_deviates_where_its_counts_are_not_the_full_ones() -> None:
    full = Count(10, 20)
    lines = [
        CountLine("whole", "train", full, full),
        CountLine("few places", "train", Count(9, 20), full),
        CountLine("few pictures", "test", Count(10, 19), full),
        CountLine("too many", "all", Count(11, 21), full),
        CountLine("unknown", "test", Count(1, 1), None),
    ]
    assert count_deviations(lines) == [
        Deviation("train", "few places: 9 of 10 places, 20 of 20 pictures"),
        Deviation("test", "few pictures: 10 of 10 places, 19 of 20 pictures"),
        Deviation("all", "too many: 11 of 10 places, 21 of 20 pictures"),
    ]


def parts(deviations: list[Deviation]) -> set[str]:
    return {deviation.part for deviation in deviations}


def test_every_benchmark_says_which_part_a_deviation_is_of(tmp_path: Path) -> None:
    roots = {name: getattr(trees, name)(tmp_path / name) for name in ("university1652", "denseuav", "sues200")}
    for module, name in ((university1652, "university1652"), (denseuav, "denseuav"), (sues200, "sues200")):
        deviations = module.deviations(roots[name])
        assert parts(deviations) == {"train", "test"}
        for deviation in deviations:
            assert ("train" in deviation.text) == (deviation.part == "train"), deviation


def test_a_test_that_is_whole_deviates_in_training_alone(tmp_path: Path) -> None:
    root = trees.sues200(tmp_path, train=3, test=80, shots=50, heights=["150"])
    deviations = sues200.deviations(root, ["150"])
    assert parts(deviations) == {"train"}
    assert deviations[0].text == "satellite-view (train): 3 of 120 places, 3 of 120 pictures"


def test_a_missing_gps_file_is_a_deviation_of_the_test(tmp_path: Path) -> None:
    root = trees.denseuav(tmp_path)
    before = denseuav.deviations(root)
    (root / denseuav.GPS).unlink()
    assert denseuav.deviations(root) == [
        *before, Deviation("test", "Dense_GPS_ALL.txt is missing: no SDM@K, and no metres")]  # fmt: skip


def test_a_split_of_our_own_is_always_told(visloc_root: Path) -> None:
    own, flights = visloc.deviations(visloc_root)
    assert own.part == flights.part == "all"
    assert "no official split: test flights 03, 04, tiles every 0.5 of their side" in own.text
    assert flights.text == "UAV-VisLoc flights: 5 of 11 places, 10 of 6742 pictures"
    assert "test flights 10," in visloc.deviations(visloc_root, ["10"])[0].text
