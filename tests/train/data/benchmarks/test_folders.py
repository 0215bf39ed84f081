"""What is wrong with folders of places is told in words, with the first names and how many more there are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import DataError
from tests.train.data.benchmarks.trees import put
from train.data.benchmarks import folders
from train.data.benchmarks.benchmark import Count
from train.data.benchmarks.folders import PlaceFolders, read_places

names = st.lists(st.text("abcdef", min_size=1, max_size=3), unique=True, max_size=6)


def view(name: str, places: Mapping[str, int]) -> PlaceFolders:
    """A folder with so many pictures of each place; there are no files."""
    folder = Path(name)
    return PlaceFolders(folder, {p: [folder / p / f"{k}.jpg" for k in range(n)] for p, n in places.items()})


def test_places_are_read_in_order_with_their_pictures_alone(tmp_path: Path) -> None:
    for name in ("b/2.jpg", "b/1.JPG", "a/x.png", "a/deep/y.png"):
        put(tmp_path / name, 1)
    (tmp_path / "b/notes.txt").write_text("")
    (tmp_path / "stray.jpg").write_bytes(b"")
    (tmp_path / "c").mkdir()
    places = read_places(tmp_path)
    assert {p: [path.name for path in paths] for p, paths in places.pictures.items()} == {
        "a": ["x.png"], "b": ["1.JPG", "2.jpg"], "c": []}  # fmt: skip
    assert places.count == Count(3, 3)
    inner = read_places(tmp_path, "deep")
    assert {p: len(paths) for p, paths in inner.pictures.items()} == {"a": 1, "b": 0, "c": 0}
    assert read_places(tmp_path / "nowhere").count == Count(0, 0)


def test_only_some_places_are_kept() -> None:
    kept = view("f", {"a": 1, "b": 2, "c": 3}).only({"b", "c", "spare"})
    assert (list(kept.pictures), kept.count) == (["b", "c"], Count(2, 5))


def test_missing_folders_and_empty_places_are_told() -> None:
    whole, none, holes = view("whole", {"a": 1}), view("none", {}), view("holes", dict.fromkeys("abcde", 0))
    assert folders.missing(whole, none) == ["none is missing, or holds no folders of places"]
    assert folders.empty(whole, none) == []
    (fault,) = folders.empty(whole, holes)
    assert fault == "5 folders of holes hold no picture: a, b, c and 2 more; fetch them again, or take them out"


@given(names, names)
def test_places_that_one_view_alone_has_are_told_unless_the_other_is_missing(
    ours: list[str], theirs: list[str]
) -> None:
    faults = folders.unpaired(view("ours", dict.fromkeys(ours, 1)), view("theirs", dict.fromkeys(theirs, 1)))
    alone = [len(set(a) - set(b)) for a, b in ((ours, theirs), (theirs, ours)) if b]
    assert [int(fault.split()[0]) for fault in faults] == [count for count in alone if count]


@given(names, names)
def test_queries_without_an_answer_are_counted(asked: list[str], gallery: list[str]) -> None:
    faults = folders.unanswered(view("q", dict.fromkeys(asked, 1)), view("g", dict.fromkeys(gallery, 1)))
    lost = set(asked) - set(gallery) if gallery else set()
    assert len(faults) == bool(lost)
    assert not faults or faults[0].startswith(f"{len(lost)} places of q have no answer in g")


def test_places_of_the_test_that_are_trained_on_make_scores_untrue() -> None:
    train, test = view("train", dict.fromkeys("abc", 1)), view("test", dict.fromkeys("cd", 1))
    assert folders.leaking(train, test) == ["1 places of test are also in train: c; scores would be untrue"]
    assert folders.leaking(train, view("test", {"d": 1})) == []


def test_kinds_that_differ_from_most_or_from_what_is_known_are_told() -> None:
    known, where = ("150", "200"), Path("here")
    alike = {name: ["150", "200"] for name in "abc"}
    assert folders.mixed(alike, known, where) == []
    assert folders.mixed(alike | {"d": ["150"]}, known, where) == [
        "1 places of here have not 150, 200 as the others: d"]  # fmt: skip
    assert folders.mixed(alike | {"d": ["175"]}, known, where) == [
        "1 places of here hold 175, d first; expected 150, 200"]  # fmt: skip


def test_few_names_are_named_and_many_are_counted() -> None:
    assert folders.name_few(["a"]) == "a"
    assert folders.name_few(["a", "b", "c"]) == "a, b, c"
    assert folders.name_few(list("abcdefg")) == "a, b, c and 4 more"


def test_a_root_is_accepted_by_any_of_its_marks_and_else_a_better_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "release/train").mkdir(parents=True)
    folders.check_root(tmp_path / "release", ("test", "train"), "N")
    for wrong in (tmp_path, tmp_path / "release/train"):
        with pytest.raises(DataError, match=r"is no N: expected test or train in it; did you mean .*release\?"):
            folders.check_root(wrong, ("test", "train"), "N")
    with pytest.raises(DataError, match=r"is no folder: expected test in it$"):
        folders.check_root(tmp_path / "nowhere/at/all", ("test",), "N")


def test_a_set_holds_every_picture_under_its_path_in_the_root(tmp_path: Path) -> None:
    for name in ("query/p/1.jpg", "query/p/2.jpg", "gallery/p/1.jpg", "gallery/q/1.jpg"):
        put(tmp_path / name, 7)
    task = folders.retrieval_set("N", tmp_path, read_places(tmp_path / "query"), read_places(tmp_path / "gallery"),
                                 asks_from_drone=False, lat_lon={"p": (47.0, 8.0)})  # fmt: skip
    assert [shot.name for shot in task.queries] == ["query/p/1.jpg", "query/p/2.jpg"]
    assert [(shot.place, shot.lat_lon) for shot in task.gallery] == [("p", (47.0, 8.0)), ("q", None)]
    assert not task.asks_from_drone
    (tmp_path / "query/p/1.jpg").write_bytes(b"no picture")
    with pytest.raises(DataError, match="cannot be read"):
        task.queries[0].read()
    assert task.queries[1].read().shape == (8, 8, 3)
