from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from calib.samples.choice import SetRequest, choose, contact_sheet, make_set
from calib.samples.sources import Sample
from calib.samples.stored_set import read_set
from runtime.geo.mercator import Tile
from runtime.maps.mbtiles import write_mbtiles
from runtime.model.bundle import write_manifest
from runtime.model.manifest import FORMAT
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


def test_a_large_source_is_read_only_as_far_as_memory_allows_and_progress_says_so(tmp_path: Path) -> None:
    ticks: list[tuple[int, int]] = []
    folder = write_pictures(tmp_path / "pictures", 40)
    choose([folder], 8, SIDE_PX, 0, lambda done, total: ticks.append((done, total)))
    assert [done for done, _ in ticks] == list(range(1, 33)), "four are offered for one that is chosen"
    assert {total for _, total in ticks} == {32}


def test_a_contact_sheet_shows_every_sample_up_to_64_in_rows_of_eight(tmp_path: Path) -> None:
    samples = [Sample(f"{i}", np.full((SIDE_PX, SIDE_PX, 3), 4 * i, np.uint8)) for i in range(60)]
    contact_sheet(samples[:10], tmp_path / "few.png")
    few = cv2.imread(str(tmp_path / "few.png"))
    assert few.shape == (2 * 96, 8 * 96, 3)
    assert [int(few[48 + 96 * (i // 8), 48 + 96 * (i % 8), 0]) for i in range(11)] == [*range(0, 40, 4), 255]
    contact_sheet([*samples, *samples, *samples], tmp_path / "many.png")
    assert cv2.imread(str(tmp_path / "many.png")).shape == (8 * 96, 8 * 96, 3)


@pytest.mark.parametrize(
    ("names", "lacking"),
    [
        (["map.mbtiles"], "drone: give a flight too"),
        (["a", "b"], "map: give a map.mbtiles too"),
        (["a", "m.mbtiles"], ""),
    ],
)
def test_a_set_of_one_view_alone_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, names: list[str], lacking: str
) -> None:
    bundle = tmp_path / "tiny.bundle"
    bundle.mkdir()
    encoder = {"side_px": SIDE_PX, "dim": 8}
    write_manifest(bundle, {"format": FORMAT, "kind": "encoder", "name": "tiny", "files": {}, "encoder": encoder})
    for name in names:
        if name.endswith(".mbtiles"):
            write_map(tmp_path / name)
        else:
            write_pictures(tmp_path / name, 12, seed=len(name))
    made = make_set(SetRequest(tuple(tmp_path / name for name in names), bundle, count=8))
    assert made.pictures >= 8 and made.sha256 == read_set(bundle).sha256
    warned = [record.getMessage() for record in caplog.records if record.name == "calib.samples.choice"]
    assert (lacking in warned[0]) if lacking else not warned


def write_map(path: Path) -> None:
    """Nine map tiles of noise."""
    rng, seen = np.random.default_rng(0), np.ones((256, 256), np.bool_)
    tiles = [
        (Tile(16, 34261 + i % 3, 22944 + i // 3), rng.integers(0, 256, (256, 256, 3), np.uint8), seen) for i in range(9)
    ]
    write_mbtiles(path, tiles, {})
