"""Folders of benchmarks become the official questions, training never sees the test, and wrong folders are told."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from runtime.errors import DataError
from tests.train.data.benchmarks import trees
from train.data.__main__ import main
from train.data.benchmarks import denseuav, sues200, university1652
from train.data.manifest import Choice
from train.data.open import open_sources
from train.data.retrieval_set import RetrievalSet
from train.data.sources.whole_pictures import WholeScene, WholeSource, held_out, square
from train.data.view_spec import ViewSpec

TRAIN, VAL, ALL = Choice("train"), Choice("val"), Choice(None)
VIEW = ViewSpec()


def _sizes(asked: RetrievalSet) -> tuple[int, int]:
    return len(asked.queries), len(asked.gallery)


def _positives(asked: RetrievalSet) -> set[int]:
    """How many right answers the queries have."""
    answers = Counter(shot.place for shot in asked.gallery)
    return {answers[shot.place] for shot in asked.queries}


def test_university_asks_both_ways_and_keeps_the_buildings_nobody_asks_for(tmp_path: Path) -> None:
    drone, satellite = university1652.retrieval_sets(trees.university1652(tmp_path))
    assert (drone.name, _sizes(drone), _positives(drone)) == ("University-1652 drone -> satellite", (6, 5), {1})
    assert (_sizes(satellite), _positives(satellite)) == ((3, 10), {2})
    assert _sizes(drone.without_distractors()) == (6, 3)
    assert _sizes(satellite.without_distractors()) == (3, 6)
    assert drone.queries[0].read().shape == (8, 8, 3)
    assert drone.queries[0].name == "test/query_drone/0016/image-00.jpeg"


def test_sues_asks_at_each_height_and_its_galleries_hold_the_training_scenes(tmp_path: Path) -> None:
    root = trees.sues200(tmp_path)
    sets = sues200.retrieval_sets(root)
    assert len(sets) == 8
    assert [s.name for s in sets[:2]] == ["SUES-200 150 m drone -> satellite", "SUES-200 150 m satellite -> drone"]
    assert [(_sizes(s), _positives(s)) for s in sets[:2]] == [((4, 10), {1}), ((2, 20), {2})]
    assert _sizes(sets[0].without_distractors()) == (4, 2)
    for asked in sets:
        height = asked.name.split()[1]
        pictures = (*asked.queries, *asked.gallery)
        assert all(f"/{height}/" in shot.name for shot in pictures if shot.name.startswith("drone"))
    assert [s.name.split()[1] for s in sues200.retrieval_sets(root, ["250"])] == ["250", "250"]


def test_denseuav_finds_a_place_at_any_height_and_date_and_knows_where_it_is(tmp_path: Path) -> None:
    drone, satellite = denseuav.retrieval_sets(trees.denseuav(tmp_path))
    assert (_sizes(drone), _positives(drone)) == ((9, 114), {6})
    assert (_sizes(satellite), _positives(satellite)) == ((18, 57), {3})
    assert drone.queries[0].place == "000016"
    assert drone.queries[0].lat_lon == pytest.approx((30.032, 120.016))
    assert all(shot.lat_lon for shot in drone.gallery)
    (tmp_path / denseuav.GPS).unlink()
    assert denseuav.retrieval_sets(tmp_path)[0].queries[0].lat_lon is None
    assert "no SDM@K" in denseuav.deviations(tmp_path)[-1].text


def test_the_fixed_scenes_of_sues_are_the_published_ones() -> None:
    assert (len(sues200.TRAIN), len(sues200.TEST)) == (120, 80)
    assert sorted(sues200.TEST)[:5] == ["0008", "0012", "0014", "0017", "0018"]
    assert sum(map(int, sues200.TRAIN)) == 11_864


@pytest.mark.parametrize("name", ["university1652", "denseuav", "sues200"])
def test_one_training_place_in_eight_is_held_out_and_no_place_of_the_test_is_trained_on(
    name: str, tmp_path: Path
) -> None:
    module = {"university1652": university1652, "denseuav": denseuav, "sues200": sues200}[name]
    root = getattr(trees, name)(tmp_path)
    train, val, both = (set(module.open_train(root, choice, VIEW).places) for choice in (TRAIN, VAL, ALL))
    asked = {f"{module.NAME} {shot.place}" for s in module.retrieval_sets(root) for shot in s.queries}
    assert train | val == both
    assert not train & val
    assert not both & asked
    assert len(val) == len(both) // 8


def test_runs_of_neighbours_are_held_out_together() -> None:
    places = [str(k) for k in range(64)]
    assert held_out(places, VAL, run=4) == [str(k) for k in (28, 29, 30, 31, 60, 61, 62, 63)]
    assert sorted(held_out(places, VAL, 4) + held_out(places, TRAIN, 4)) == sorted(places)


def test_sues_trains_on_all_heights_or_on_the_one_that_is_named(tmp_path: Path) -> None:
    trees.sues200(tmp_path)
    (mixed,) = open_sources([f"sues200:{tmp_path}"], TRAIN, VIEW)
    (one,) = open_sources([f"sues200:{tmp_path}#150*2"], TRAIN, VIEW)
    assert Counter(mixed.places) == dict.fromkeys(one.places, 4)
    assert one.weight == 2
    assert all("/150/" in str(path) for path in one.files if "drone" in str(path))
    assert "/300/" in str(mixed.files)


def test_a_held_out_place_is_asked_for_by_several_pictures_as_they_are(tmp_path: Path) -> None:
    root = trees.university1652(tmp_path, train=8, shots=5)
    val = university1652.open_train(root, VAL, VIEW)
    assert [len(scene.drones) for scene in val.scenes] == [2, 1, 1, 1]
    assert len(set(val.files)) == 5 + 1
    first, again = (val.render(0, np.random.default_rng(0), 8).tile for _ in range(2))
    assert np.array_equal(first, again)
    assert not val.moving


def test_views_are_mirrored_together_and_turned_each_on_its_own(tmp_path: Path) -> None:
    """A picture of four differently coloured corners tells how it was moved."""
    corners = np.zeros((64, 64, 3), np.uint8)
    corners[:32, :32], corners[:32, 32:], corners[32:, 32:] = 80, 160, 240
    cv2.imwrite(str(tmp_path / "x.png"), corners)
    path = tmp_path / "x.png"
    source = WholeSource([WholeScene("x", [path], [path])], moving=True, drone_turns=True)
    oblique = WholeSource(source.scenes, moving=True, drone_turns=False)
    seen, upright = set(), set()
    for seed in range(200):
        views = source.render(0, np.random.default_rng(seed), 32)
        (drone_mirrored, drone_turn), (tile_mirrored, tile_turn) = _how(views.drone), _how(views.tile)
        assert drone_mirrored == tile_mirrored
        seen.add((drone_mirrored, drone_turn, tile_turn))
        upright.add(_how(oblique.render(0, np.random.default_rng(seed), 32).drone))
    assert len(seen) == 2 * 4 * 4
    assert upright == {(False, 0), (True, 0)}


def _how(picture: np.ndarray) -> tuple[bool, int]:
    """Whether mirrored, and by how many quarters turned after that."""
    for mirrored in (False, True):
        for quarters in range(4):
            back = np.rot90(picture[..., 0], -quarters)
            back = back[:, ::-1] if mirrored else back
            at = [int(back[4, 4]), int(back[4, -4]), int(back[-4, -4])]
            if np.allclose(at, [80, 160, 240], atol=20):
                return mirrored, quarters
    raise AssertionError("no corner is where it may be")


def test_a_whole_picture_is_squeezed_and_not_cut() -> None:
    wide = np.zeros((10, 40, 3), np.uint8)
    wide[:, 20:] = 200
    small = square(wide, 4)
    assert small.shape == (4, 4, 3)
    assert small[:, :2].max() == 0
    assert small[:, 2:].min() == 200


def test_a_miniature_is_usable_but_is_not_the_benchmark(tmp_path: Path) -> None:
    root = trees.university1652(tmp_path)
    assert university1652.faults(root) == []
    assert university1652.deviations(root)[0].text == "train/drone: 16 of 701 places, 32 of 37854 pictures"
    assert len(university1652.deviations(root)) == 6


def test_only_may_ship_leaves_nothing_of_a_benchmark(tmp_path: Path) -> None:
    trees.university1652(tmp_path)
    assert open_sources([f"university1652:{tmp_path}"], Choice("train", only_may_ship=True), VIEW) == []


@pytest.mark.parametrize("below", ["train", "test", ".."])
def test_a_folder_too_high_or_too_low_is_told_with_the_one_that_was_meant(below: str, tmp_path: Path) -> None:
    root = trees.university1652(tmp_path / "data" / "University-Release")
    with pytest.raises(
        DataError, match=r"no University-1652: expected train/drone .*did you mean .*University-Release\?"
    ):
        university1652.retrieval_sets(root / below)


def test_wrong_folders_are_told_in_words(tmp_path: Path) -> None:
    root = trees.university1652(tmp_path)
    shutil.rmtree(root / "train/satellite/0002")
    for path in (root / "test/gallery_satellite/0017").iterdir():
        path.unlink()
    trees.put(root / "test/gallery_drone/0001/x.jpeg", 1)
    faults = "\n".join(university1652.faults(root))
    assert "1 places of" in faults and "are not in" in faults and "0002" in faults
    assert "1 folders of" in faults and "hold no picture: 0017" in faults
    assert "scores would be untrue" in faults
    with pytest.raises(DataError, match=r"1 places of .*drone are not in .*satellite: 0002"):
        university1652.open_train(root, TRAIN, VIEW)


def test_a_mix_of_heights_is_told(tmp_path: Path) -> None:
    root = trees.sues200(tmp_path / "sues")
    shutil.rmtree(root / "drone_view_512/0002/250")
    faults = sues200.faults(root)
    assert any("have not 150, 200, 250, 300 as the others: 0002" in fault for fault in faults)
    (root / "drone_view_512/0003/300").rename(root / "drone_view_512/0003/350")
    assert any("hold 350, 0003 first" in fault for fault in sues200.faults(root))
    with pytest.raises(DataError, match=r"1 scenes of .* have no picture at 250 m: 0002"):
        sues200.open_train(root, TRAIN, VIEW)
    dense = trees.denseuav(tmp_path / "dense")
    (dense / "train/drone/000004/H90.JPG").unlink()
    assert any("have not H100, H80, H90 as the others: 000004" in fault for fault in denseuav.faults(dense))


def test_a_height_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    root = trees.sues200(tmp_path, heights=["150", "300"])
    with pytest.raises(DataError, match=r"has pictures at 150, 300 of .*choose, as sues200:.*#150,300"):
        sues200.open_train(root, TRAIN, VIEW)
    with pytest.raises(DataError, match="has the heights 150, 200"):
        open_sources([f"sues200:{root}#175"], TRAIN, VIEW)
    with pytest.raises(DataError, match="takes no @GSD"):
        open_sources([f"sues200:{root}@0.3"], TRAIN, VIEW)


def test_a_broken_gps_line_is_told_with_its_number(tmp_path: Path) -> None:
    root = trees.denseuav(tmp_path)
    lines = (root / denseuav.GPS).read_text().splitlines()
    (root / denseuav.GPS).write_text("\n".join(lines[:-2]))
    with pytest.raises(DataError, match="no line for 1 places of the test: 000018"):
        denseuav.retrieval_sets(root)
    (root / denseuav.GPS).write_text("\n".join([*lines, "train/satellite/000000/H80.tif east north"]))
    with pytest.raises(DataError, match=f"line {len(lines) + 1} is .*expected PATH E<lon> N<lat> HEIGHT"):
        denseuav.retrieval_sets(root)


def test_the_command_tells_what_there_is_and_draws_pairs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = trees.university1652(tmp_path / "u")
    sheet = tmp_path / "pairs.png"
    assert main([f"university1652:{root}", "--picture", str(sheet), "--pairs", "5", "--side", "32"]) == 0
    out = capsys.readouterr().out
    assert "train/drone" in out and "37854" in out
    assert "University-1652 satellite -> drone: 3 queries, gallery 10" in out
    assert "the full benchmark: no" in out
    assert "train  14 places, 14 scenes" in out
    assert "val    2 places, 4 scenes" in out
    assert sheet.read_bytes().startswith(b"\x89PNG")


def test_the_command_finds_a_broken_picture_of_the_test_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = trees.university1652(tmp_path)
    (root / "test/query_drone/0016/image-00.jpeg").write_bytes(b"no picture")
    assert main([f"university1652:{root}", "--thorough"]) == 1
    told = capsys.readouterr()
    assert "wrong: " in told.out and "test/query_drone/0016/image-00.jpeg cannot be read" in told.out
    assert "1 things are wrong" in told.err


def test_the_command_shows_any_kind_of_data(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sheet = tmp_path / "sheet.png"
    arguments = ["--picture", str(sheet), "--side", "32", "--pairs", "3", "--split", "val"]
    assert main([f"overhead:{pictures}@0.6", *arguments]) == 0
    out = capsys.readouterr().out
    assert "train  21 places, 21 scenes" in out
    assert "val    3 places, 3 scenes" in out
    assert sheet.is_file()
    assert main(["overhead:/nowhere"]) == 1
