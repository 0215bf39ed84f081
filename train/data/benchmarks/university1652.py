"""``university1652:ROOT``: buildings seen by a synthetic drone that circles them, and from above.

Source: Zheng, Wei and Yang, University-1652, ACM MM 2020; counts of the authors' table. ``street`` and ``google``
folders are not read: that some of them are empty is as published.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from train.data.benchmarks import two_views
from train.data.benchmarks.benchmark import Count, CountLine, Deviation, count_deviations
from train.data.benchmarks.two_views import TwoViews
from train.data.manifest import Choice
from train.data.retrieval_set import RetrievalSet
from train.data.sources.whole_pictures import WholeSource, whole_source
from train.data.view_spec import ViewSpec

NAME = "University-1652"
LAYOUT = TwoViews(
    NAME,
    {
        "train/drone": Count(701, 37_854),
        "train/satellite": Count(701, 701),
        "test/query_drone": Count(701, 37_855),
        "test/gallery_satellite": Count(951, 951),
        "test/query_satellite": Count(701, 701),
        "test/gallery_drone": Count(951, 51_355),
    },
)


def open_train(root: Path, choice: Choice, _view: ViewSpec, parts: Sequence[str] = ()) -> WholeSource:
    """Return pairs of the training buildings, one in eight of which is held out as ``val``; raises DataError."""
    drone, satellite = LAYOUT.train(root, parts)
    return whole_source(drone.pictures, satellite.pictures, choice, name=NAME, drone_turns=False)


def retrieval_sets(root: Path, parts: Sequence[str] = ()) -> list[RetrievalSet]:
    """Return the official directions, the 250 buildings in the galleries that nobody asks for; raises DataError."""
    return LAYOUT.retrieval_sets(root, LAYOUT.read(root, parts))


def count_table(root: Path, parts: Sequence[str] = ()) -> list[CountLine]:
    """Count what is in the folder, beside the counts of the full benchmark; raises DataError."""
    return LAYOUT.count_table(root, parts)


def faults(root: Path, parts: Sequence[str] = ()) -> list[str]:
    """Describe all that is wrong; raises DataError where ``root`` is no University-1652."""
    return two_views.faults(LAYOUT.read(root, parts), galleries_hold_train=False)


def deviations(root: Path, parts: Sequence[str] = ()) -> list[Deviation]:
    """List what differs from the full benchmark; empty where scores may bear its name."""
    return count_deviations(count_table(root, parts))


def pictures(root: Path, parts: Sequence[str] = ()) -> list[Path]:
    """List every picture that training or the test reads."""
    return LAYOUT.pictures(root, parts)
