"""The truth of a recorded flight."""

from __future__ import annotations

from pathlib import Path

from runtime.flights.truth import read_truth


def test_truth_is_none_where_it_is_blank(tmp_path: Path) -> None:
    path = tmp_path / "truth.csv"
    path.write_text("t_us,true_lat,true_lon,true_ground_lat,true_ground_lon,truth_ok\n5,47.5,8.2,,,0\n9,,,47.5,8.2,1\n")
    truth = read_truth(path)
    assert truth[5].drone == (47.5, 8.2)
    assert truth[5].ground is None
    assert not truth[5].verified
    assert truth[9].drone is None
    assert truth[9].ground == (47.5, 8.2)
