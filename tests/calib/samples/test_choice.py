from __future__ import annotations

from pathlib import Path

from calib.samples.choice import choose
from tests.calib.samples.made import write_pictures

SIDE_PX = 48


def test_the_same_seed_chooses_the_same_pixels_and_another_seed_others(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "pictures", 20)
    first, again, other = (choose([folder], 8, SIDE_PX, seed) for seed in (1, 1, 2))
    assert all((a.picture == b.picture).all() for a, b in zip(first, again, strict=True))
    assert [s.source for s in first] != [s.source for s in other]


def test_what_one_folder_lacks_the_next_makes_up(tmp_path: Path) -> None:
    few, many = write_pictures(tmp_path / "few", 3), write_pictures(tmp_path / "many", 30)
    chosen = choose([few, many], 20, SIDE_PX, 0)
    assert sum(s.source.startswith("few/") for s in chosen) == 3
    assert sum(s.source.startswith("many/") for s in chosen) == 17
