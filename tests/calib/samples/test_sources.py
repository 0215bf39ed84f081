from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from calib.samples.choice import choose
from calib.samples.sources import read_square, samples
from runtime.errors import DataError
from runtime.maps.importing import import_imagery
from tests.calib.samples.made import write_flight, write_pictures

SIDE_PX = 48


def test_frames_of_a_flight_are_turned_north_up(tmp_path: Path) -> None:
    chosen = choose([write_flight(tmp_path / "flight", yaw_deg=90)], 8, SIDE_PX, 0)
    for sample in chosen:
        red = sample.picture[..., 0] > 150
        assert red[:, SIDE_PX * 2 // 3 :].mean() > 0.7  # the rest was not seen; flying east, ahead is on the right
        assert red[:, : SIDE_PX // 3].mean() < 0.1


def test_a_picture_of_the_encoders_size_is_taken_whole_and_a_larger_one_in_part(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    rng = np.random.default_rng(0)
    exact = rng.integers(0, 256, (SIDE_PX, SIDE_PX, 3), np.uint8)
    cv2.imwrite(str(folder / "exact.png"), exact[..., ::-1])
    cv2.imwrite(str(folder / "large.png"), rng.integers(0, 256, (200, 300, 3), np.uint8))
    (folder / "notes.txt").write_text("no picture")
    by_name = {sample.source: sample.picture for sample in samples(folder, 9, SIDE_PX, np.random.default_rng(1))}
    assert by_name.keys() == {"pictures/exact.png", "pictures/large.png"}
    assert (by_name["pictures/exact.png"] == exact).all()
    assert by_name["pictures/large.png"].shape == (SIDE_PX, SIDE_PX, 3)


def test_no_more_samples_come_than_were_asked_for_and_each_of_another_picture(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "pictures", 12)
    drawn = [sample.source for sample in samples(folder, 5, SIDE_PX, np.random.default_rng(0))]
    assert len(drawn) == len(set(drawn)) == 5
    assert drawn == [sample.source for sample in samples(folder, 5, SIDE_PX, np.random.default_rng(0))]


def test_the_middle_square_of_a_picture_is_as_wide_as_the_picture_is_high(tmp_path: Path) -> None:
    picture = np.zeros((40, 100, 3), np.uint8)
    picture[:, 30:70] = (10, 200, 90)
    cv2.imwrite(str(tmp_path / "wide.png"), picture[..., ::-1])
    assert (read_square(tmp_path / "wide.png", 20) == (10, 200, 90)).all()
    cv2.imwrite(str(tmp_path / "high.png"), np.rot90(picture)[..., ::-1])
    assert (read_square(tmp_path / "high.png", 20) == (10, 200, 90)).all()


def test_windows_of_a_map_are_named_by_their_place_and_show_it(small_world: Path, tmp_path: Path) -> None:
    mapped = tmp_path / "town.mbtiles"
    about = {"name": "town", "date": "", "attribution": "", "tick": lambda done, total: None}
    import_imagery(small_world / "map.tif", mapped, **about).close()
    drawn = list(samples(mapped, 6, SIDE_PX, np.random.default_rng(0)))
    assert 0 < len(drawn) <= 6
    assert all(sample.source.startswith("town.mbtiles/") and sample.picture.std() > 5 for sample in drawn)


def test_frames_that_the_localizer_cannot_use_give_no_sample(tmp_path: Path) -> None:
    folder = write_flight(tmp_path / "flight", yaw_deg=0)
    rows = (folder / "telemetry.csv").read_text().splitlines()
    rows[1:4] = [row.replace(",100,", ",,") for row in rows[1:4]]  # no height
    (folder / "telemetry.csv").write_text("\n".join(rows) + "\n")
    for blank in (3, 4):
        cv2.imwrite(str(folder / f"frames/{blank}.png"), np.full((240, 320, 3), 90, np.uint8))
    drawn = list(samples(folder, 10, SIDE_PX, np.random.default_rng(0)))
    assert sorted(sample.source for sample in drawn) == [f"flight/{i}.png" for i in range(5, 10)]


def test_what_is_no_source_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "map.tif").touch()
    (empty := tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"map\.tif is not a recorded flight, a folder of pictures or a map\.mbtiles"):
        list(samples(tmp_path / "map.tif", 4, SIDE_PX, np.random.default_rng(0)))
    with pytest.raises(DataError, match=r"empty holds no pictures; expected \.jpg"):
        list(samples(empty, 4, SIDE_PX, np.random.default_rng(0)))
