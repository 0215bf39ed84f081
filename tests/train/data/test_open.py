"""The same item gives the same pixels in any worker; sources carry weights; broken pictures are named, or fatal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from runtime.errors import DataError, SkyfixError
from runtime.model.preprocess import FILL
from tests.train.conftest import draw_place
from train.data.batch import Batch
from train.data.dataset import Item, PairDataset, collate, prepare_worker
from train.data.manifest import Choice
from train.data.open import Entry, open_sources
from train.data.sources.overhead import sewn
from train.data.view_spec import ViewSpec


def dataset(pictures: Path, *, seed: int = 0, side_px: int = 32) -> PairDataset:
    sources = open_sources([f"overhead:{pictures}@0.6"], Choice("train"), ViewSpec())
    return PairDataset(sources, seed=seed, side_px=side_px, strength=1.0)


def test_same_seed_epoch_and_scene_give_the_same_bytes_and_others_do_not(pictures: Path) -> None:
    first, again, other = (dataset(pictures, seed=seed) for seed in (1, 1, 2))
    first.views(Item(0, 5))  # what was drawn before must not matter
    for item in (Item(0, 3), Item(4, 3)):
        assert all(np.array_equal(a, b) for a, b in zip(first.views(item)[:3], again.views(item)[:3], strict=True))
        assert not np.array_equal(first.views(item).drone, other.views(item).drone)
    assert not np.array_equal(first.views(Item(0, 3)).drone, first.views(Item(1, 3)).drone)


@given(
    st.lists(
        st.lists(st.builds(Item, st.integers(0, 9), st.integers(0, 20)), min_size=2, max_size=2), min_size=3, max_size=6
    )
)
@settings(max_examples=3, deadline=None)
def test_any_number_of_workers_delivers_the_same_batches(pictures: Path, items: list[list[Item]]) -> None:
    def batches(workers: int) -> list[Batch]:
        loader = DataLoader(
            dataset(pictures),
            batch_sampler=items,
            num_workers=workers,
            worker_init_fn=prepare_worker,
            collate_fn=collate,
        )
        return list(loader)

    want = batches(0)
    for workers in (1, 2):
        for a, b in zip(want, batches(workers), strict=True):
            assert all(torch.equal(x.nan_to_num(), y.nan_to_num()) for x, y in zip(a, b, strict=True))
    assert all(batch.drone.dtype == torch.uint8 for batch in want)


def test_unseen_ground_is_the_grey_that_flies_whatever_the_light(pictures: Path) -> None:
    sources = open_sources([f"overhead:{pictures}@0.6"], Choice(None), replace(ViewSpec(), tilt_deg=50.0))
    views = [sources[0].render(k, np.random.default_rng(k), 48) for k in range(24)]
    scene = next(k for k, view in enumerate(views) if not view.drone_seen.all())
    data = PairDataset(sources, seed=0, side_px=48, strength=1.0)
    for epoch in range(20):
        drone = data.views(Item(epoch, scene)).drone
        rng = np.random.default_rng((0, epoch, scene))
        seen = sources[0].render(scene, rng, 48).drone_seen
        assert (drone[~seen] == FILL).all()


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("overhead:a/b", Entry("overhead", "a/b")),
        ("overhead:a@home/b@0.3", Entry("overhead", "a@home/b", 0.3)),
        ("overhead:a@home/b", Entry("overhead", "a@home/b")),
        ("overhead:a@0.3*2.5", Entry("overhead", "a", 0.3, 2.5)),
        ("flight:a*0.5", Entry("flight", "a", None, 0.5)),
        ("world:3*2", Entry("world", "3", None, 2.0)),
    ],
)
def test_an_entry_says_kind_path_scale_and_weight(text: str, entry: Entry) -> None:
    assert Entry.parse(text) == entry


def test_every_place_has_the_weight_of_its_source(pictures: Path) -> None:
    sources = open_sources([f"overhead:{pictures}@0.6*3", f"site:{pictures}@0.6"], Choice("train"), ViewSpec())
    data = PairDataset(sources, seed=0, side_px=32, strength=0.0)
    assert data.weights == [3.0] * 21 + [1.0] * 24


def spoilt(folder: Path, count: int, of: int = 40) -> list[Path]:
    paths = [folder / f"{k:02d}.jpg" for k in range(of)]
    for k, path in enumerate(paths):
        cv2.imwrite(str(path), draw_place(k))
        if k < count:  # a download that was cut: OpenCV would paint the rest grey and say nothing
            path.write_bytes(path.read_bytes()[: 1000 + k])
    return paths


def test_a_few_broken_pictures_are_named_counted_and_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    paths = spoilt(tmp_path, 2)
    data = [f"overhead:{tmp_path}@0.6", f"site:{tmp_path}@0.6"]
    sources = open_sources(data, Choice(None), ViewSpec(), max_broken=0.05)
    assert [source.files for source in sources] == [paths[2:], paths[2:]]
    (line,) = caplog.messages
    assert line.startswith("2 of 40 pictures cannot be read")
    assert str(paths[0]) in line and str(paths[1]) in line


def test_more_broken_pictures_than_allowed_end_the_run(tmp_path: Path) -> None:
    spoilt(tmp_path, 2)
    with pytest.raises(DataError, match=r"2 of 40 pictures cannot be read.*at most 1\.0% may be"):
        open_sources([f"overhead:{tmp_path}@0.6"], Choice(None), ViewSpec())


def test_a_manifest_chooses_split_licence_and_scale(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        cv2.imwrite(str(tmp_path / f"{name}.png"), draw_place(0))
    lines = ["image,gsd_m,split,may_ship", "a.png,0.25,train,yes", "b.png,,val,yes", "c.png,0.5,train,no"]
    (tmp_path / "manifest.csv").write_text("\n".join(lines))

    def names(choice: Choice) -> list[str]:
        sources = open_sources([f"overhead:{tmp_path}"], choice, ViewSpec())
        return [Path(place).stem for source in sources for place in source.places]

    assert names(Choice("train")) == ["a", "c"]
    assert names(Choice("train", only_may_ship=True)) == ["a"]
    assert names(Choice("val")) == ["b"]
    assert names(Choice(None)) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["image,gsd_m", "a.png"], "row 2 has another number of cells"),
        (["image,gsd_m", "a.png,wide"], "gsd_m 'wide'; expected metres"),
        (["image,gsd_m", ",0.3"], "a row without image"),
        (["image", "gone.png"], r"1 of 1 pictures cannot be read: .*gone\.png \(missing\)"),
    ],
)
def test_a_manifest_that_does_not_fit_is_told_by_its_row(lines: list[str], message: str, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), draw_place(0))
    (tmp_path / "manifest.csv").write_text("\n".join(lines))
    with pytest.raises(DataError, match=message):
        open_sources([f"overhead:{tmp_path}"], Choice(None), ViewSpec())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("overhead:/nowhere", "no folder"),
        ("overhead:/nowhere.tif", "cannot be read as a map"),
        ("overhead:map.tif@0.3", "takes no @GSD"),
        ("pairs:/nowhere", "no folder"),
        ("flight:/nowhere", "is no flight"),
        ("flight:/nowhere@0.3", "takes no @GSD"),
        ("nonsense", "expected KIND:PATH"),
        ("overhead:.@zero", "no ground sample distance"),
        ("overhead:.*many", "no weight; expected a positive number"),
        ("overhead:.*0", "no weight"),
        ("world:none", "number of worlds"),
    ],
)
def test_data_that_is_not_there_is_told_with_what_was_expected(data: str, message: str) -> None:
    with pytest.raises(SkyfixError, match=message):
        open_sources([data], Choice("train"), ViewSpec())


def test_a_place_and_the_one_beside_it_are_two_places_of_one_scene(pictures: Path) -> None:
    sources = open_sources([f"overhead:{pictures}@0.6"], Choice("train"), replace(ViewSpec(), beside=True))
    data = PairDataset(sources, seed=0, side_px=32, strength=1.0)
    batch = collate([data[Item(0, 3)], data[Item(0, 5)]])
    assert batch.drone.shape == batch.tile.shape == (4, 32, 32, 3)
    assert batch.scene.tolist() == [3, 3, 5, 5]
    assert len(set(batch.place.tolist())) == 4
    assert torch.equal(batch.same_place(), torch.eye(4, dtype=torch.bool))
    assert len(data.alone()[Item(0, 3)].drone) == 1


def test_pictures_sewn_together_blend_to_each_alone_and_to_their_mean_at_the_seam() -> None:
    greys = [np.full((64, 48, 3), level, np.uint8) for level in (0, 80, 160, 240)]
    quilt = sewn(greys)
    assert quilt.shape == (120, 90, 3)
    assert [int(quilt[y, x, 0]) for y in (0, -1) for x in (0, -1)] == [0, 80, 160, 240]
    assert abs(int(quilt[0, 44:46].mean()) - 40) <= 1
    assert np.array_equal(sewn([greys[2]] * 4), np.full((120, 90, 3), 160, np.uint8))


def test_a_quilt_is_of_the_same_source_and_seed(pictures: Path) -> None:
    view = replace(ViewSpec(), quilt=1.0, footprint_m=(60.0, 200.0))
    source = open_sources([f"overhead:{pictures}@0.6"], Choice("train"), view)[0]
    once, again, plain = (
        s.render(2, np.random.default_rng(4), 32)
        for s in (source, source, open_sources([f"overhead:{pictures}@0.6"], Choice("train"), ViewSpec())[0])
    )
    assert np.array_equal(once.tile, again.tile)
    assert not np.array_equal(once.tile, plain.tile)
