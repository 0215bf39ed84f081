from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from calib.samples.diverse import choose_diverse, statistics
from calib.int8 import choose, main
from calib.samples.gate_set import NEAR_M, open_retrieval_set
from calib.samples.stored_set import read_set
from runtime.errors import DataError
from runtime.geo.mercator import Tile
from runtime.maps.importing import import_imagery
from runtime.maps.mbtiles import write_mbtiles
from runtime.model.bundle import FORMAT, write_manifest

SIDE_PX = 48


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A manifest is all that choosing pictures needs."""
    path = tmp_path / "tiny.bundle"
    path.mkdir()
    encoder = {"side_px": SIDE_PX, "dim": 8}
    write_manifest(path, {"format": FORMAT, "kind": "encoder", "name": "tiny", "files": {}, "encoder": encoder})
    return path


def write_pictures(folder: Path, count: int, seed: int = 0) -> Path:
    folder.mkdir()
    rng = np.random.default_rng(seed)
    for i in range(count):
        cv2.imwrite(str(folder / f"{i:02d}.png"), rng.integers(0, 256, (90, 120, 3), dtype=np.uint8))
    return folder


def write_flight(folder: Path, yaw_deg: float) -> Path:
    (folder / "frames").mkdir(parents=True)
    (folder / "flight.json").write_text('{"name": "made"}')
    (folder / "camera.yaml").write_text(
        "image_width: 320\nimage_height: 240\ndistortion_model: plumb_bob\n"
        "camera_matrix: {rows: 3, cols: 3, data: [300, 0, 159.5, 0, 300, 119.5, 0, 0, 1]}\n"
        "distortion_coefficients: {rows: 1, cols: 5, data: [0, 0, 0, 0, 0]}\n"
    )
    rows = ["t_us,image,session,alt_agl_m,cam_roll_deg,cam_pitch_deg,cam_yaw_deg"]
    for i in range(10):
        picture = np.full((240, 320, 3), 40, np.uint8)
        picture[:120] = (0, 0, 220)  # the upper half of the frame is red
        cv2.imwrite(str(folder / f"frames/{i}.png"), picture)
        rows.append(f"{i + 1},frames/{i}.png,a,100,0,-90,{yaw_deg}")
    (folder / "telemetry.csv").write_text("\n".join(rows) + "\n")
    return folder


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


def ground_with_rare_kinds() -> NDArray[np.uint8]:  # (500, S, S, 3)
    """Fields, and five pictures in five hundred of other ground: snow, night, a tiled roof."""
    rng = np.random.default_rng(0)
    ground = np.clip(rng.normal((90, 110, 70), 12, (500, SIDE_PX, SIDE_PX, 3)), 0, 255).astype(np.uint8)
    ground[[17, 140]] = np.clip(rng.normal(245, 4, ground[:2].shape), 0, 255)
    ground[[230, 333]] = np.clip(rng.normal(8, 3, ground[:2].shape), 0, 255)
    ground[404, :, ::2], ground[404, :, 1::2] = (220, 60, 20), (20, 20, 20)
    return ground


def test_the_chosen_set_has_the_rare_kinds_of_ground_that_a_random_one_lacks_and_is_still_like_the_whole() -> None:
    features = np.stack([statistics(picture) for picture in ground_with_rare_kinds()])
    rare: tuple[set[int], ...] = ({17, 140}, {230, 333}, {404})
    for seed in range(5):
        rng = np.random.default_rng(seed)
        chosen = choose_diverse(features, 32, rng)
        assert len(set(chosen)) == 32 and all(kind & set(chosen) for kind in rare)
        assert not all(kind & {int(i) for i in rng.permutation(500)[:32]} for kind in rare)
        apart = np.abs(np.median(features[chosen], axis=0) - np.median(features, axis=0))
        assert (apart < features.std(axis=0)).all()


def test_a_broken_picture_is_named_in_one_line(
    tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_pictures(tmp_path / "pictures", 12)
    (folder / "05.png").write_bytes(b"not a picture")
    assert main(["--from", str(folder), "--bundle", str(bundle), "--count", "12"]) == 1
    error = capsys.readouterr().err
    assert "05.png is no picture that OpenCV can read" in error and error.count("\n") == 1
    assert not (bundle / "calibration.safetensors").exists()


def test_pairs_of_like_names_make_a_retrieval_set_and_the_rest_distracts(tmp_path: Path) -> None:
    drone, tile = write_pictures(tmp_path / "drone", 4), write_pictures(tmp_path / "tile", 6, seed=1)
    one = open_retrieval_set(drone, tile, SIDE_PX)
    assert one.queries.shape == (4, SIDE_PX, SIDE_PX, 3) and one.gallery.shape == (6, SIDE_PX, SIDE_PX, 3)
    assert one.right.tolist() == np.eye(4, 6, dtype=bool).tolist() and one.off_m is None
    (empty := tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="0 names in common"):
        open_retrieval_set(drone, empty, SIDE_PX)
    with pytest.raises(DataError, match="are no retrieval set"):
        open_retrieval_set(drone, tmp_path / "none", SIDE_PX)


def test_frames_of_a_flight_are_turned_north_up(tmp_path: Path) -> None:
    chosen = choose([write_flight(tmp_path / "flight", yaw_deg=90)], 8, SIDE_PX, 0)
    for sample in chosen:
        red = sample.picture[..., 0] > 150
        assert red[:, SIDE_PX * 2 // 3 :].mean() > 0.7  # the rest was not seen; flying east, ahead is on the right
        assert red[:, : SIDE_PX // 3].mean() < 0.1


def test_the_set_is_listed_with_hashes_and_entered_in_the_manifest(
    tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_pictures(tmp_path / "pictures", 12)
    sheet = tmp_path / "sheet.png"
    assert main(["--from", str(folder), "--bundle", str(bundle), "--count", "12", "--sheet", str(sheet)]) == 0
    pictures, sha256 = read_set(bundle)
    assert pictures.shape == (12, SIDE_PX, SIDE_PX, 3)
    assert json.loads((bundle / "manifest.json").read_text())["calibration"]["sha256"] == sha256
    assert len(json.loads((bundle / "calibration.json").read_text())["pictures"]) == 12
    assert cv2.imread(str(sheet)) is not None
    assert "12 pictures of 1 sources" in capsys.readouterr().out


def test_a_set_that_is_not_there_names_the_command_that_makes_it(bundle: Path) -> None:
    with pytest.raises(DataError, match=r"has no calibration set .* python -m calib.int8"):
        read_set(bundle)


@pytest.mark.parametrize(
    ("source", "told"),
    [("none", "is not a recorded flight, a folder of pictures"), ("few", "3 usable pictures are too few")],
)
def test_a_source_that_does_not_do_is_one_line_and_exit_1(
    tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str], source: str, told: str
) -> None:
    write_pictures(tmp_path / "few", 3)
    assert main(["--from", str(tmp_path / source), "--bundle", str(bundle)]) == 1
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1
    assert not (bundle / "calibration.safetensors").exists()


def test_patches_of_a_flight_are_searched_in_the_tiles_of_its_map_and_the_nearest_is_right(
    small_world: Path, tmp_path: Path
) -> None:
    mapped = tmp_path / "town.mbtiles"
    import_imagery(
        small_world / "map.tif",
        mapped,
        name="town",
        date="2024-05-01",
        attribution="made",
        tick=lambda done, total: None,
    ).close()
    one = open_retrieval_set(small_world / "flight", mapped, SIDE_PX)
    assert one.off_m is not None and one.off_m.shape == one.right.shape == (len(one.queries), len(one.gallery))
    assert (one.right == (one.off_m <= NEAR_M)).all() and one.right.any(axis=1).all()
    nearest = one.gallery[one.off_m.argmin(axis=1)].astype(np.float64)  # (N, S, S, 3)
    wrong = one.gallery[one.off_m.argmax(axis=1)].astype(np.float64)
    alike, unlike = (np.abs(one.queries - other).mean(axis=(1, 2, 3)) for other in (nearest, wrong))
    # so that truth, turn and scale are those of the map
    assert (alike < unlike).mean() > 0.7 and alike.mean() < unlike.mean()


def test_a_flight_elsewhere_is_told(small_world: Path, tmp_path: Path) -> None:
    mapped = tmp_path / "area.mbtiles"
    seen = np.ones((256, 256), np.bool_)
    picture = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    write_mbtiles(mapped, [(Tile(16, 34261 + i % 3, 22944 + i // 3), picture, seen) for i in range(9)], {})
    with pytest.raises(DataError, match="does not fly over"):
        open_retrieval_set(small_world / "flight", mapped, SIDE_PX)
