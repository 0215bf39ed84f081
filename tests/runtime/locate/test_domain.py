"""The mean of a flight's embeddings: taken out where frames look unlike the map, and of no effect where they do not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.locate.domain import DomainMean
from runtime.locate.limits import DOMAIN

DIM, PLACES = 64, 40


def unit(vectors: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True), np.float32)


def places_and_frames(common: float, noise: float = 1.1) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Rows of a map that look partly alike, and a frame of each, moved by one vector of that length: (P, D), (P, D)."""
    rng = np.random.default_rng(4)
    own, season = unit(rng.normal(size=(PLACES, DIM))), unit(rng.normal(size=DIM))
    # Some places look like the flight's season: they are the wrong answers.
    rows = unit(own + np.where(np.arange(PLACES) % 4 == 0, 1.0, 0.0)[:, None] * season)
    return rows, unit(rows + common * season + noise * unit(rng.normal(size=(PLACES, DIM))))


def first_right(rows: NDArray[np.float32], queries: NDArray[np.float32]) -> float:
    return float(((queries @ rows.T).argmax(axis=1) == np.arange(len(rows))).mean())


def taught(frames: NDArray[np.float32], cosine: float | None) -> DomainMean:
    domain = DomainMean()
    for one in frames:
        domain = domain.learned([one], cosine)
    return domain


def test_what_all_frames_have_in_common_hides_their_places_no_more() -> None:
    rows, frames = places_and_frames(common=1.2)
    domain = taught(frames, DOMAIN.like_cosine - 0.1)
    plain, without = first_right(rows, frames), first_right(rows, domain.taken_out(frames))
    assert without > plain + 0.2
    np.testing.assert_allclose(
        domain.taken_out(frames), frames - frames.sum(axis=0) / (PLACES + DOMAIN.shrinking), atol=1e-6
    )


@pytest.mark.parametrize("cosine", [DOMAIN.like_cosine, 0.9, None])
def test_frames_that_look_like_the_map_or_were_never_compared_with_it_stay_as_they_are(cosine: float | None) -> None:
    _, frames = places_and_frames(common=1.2)
    assert taught(frames, cosine).taken_out(frames) is frames


def test_a_few_frames_do_not_say_that_a_flight_looks_unlike_its_map() -> None:
    _, frames = places_and_frames(common=1.2)
    assert taught(frames[: DOMAIN.least_frames - 1], 0.3).taken_out(frames) is frames
    assert taught(frames[: DOMAIN.least_frames], 0.3).taken_out(frames) is not frames
    mended = taught(frames[: DOMAIN.least_frames], 0.3)
    for one in frames:
        mended = mended.learned([one], 0.9)
    assert not mended.differs, "the newest frames look like the map"


def test_ground_that_stays_in_sight_counts_once_and_headings_count_as_one_frame() -> None:
    _, frames = places_and_frames(common=0.0)
    hovering = taught(np.repeat(frames[:1], 30, axis=0), 0.3)
    assert hovering.count == 1
    moved = hovering.learned([frames[1], frames[2]], 0.3)
    assert moved.count == 2
    assert moved.total is not None
    np.testing.assert_allclose(moved.total, frames[0] + (frames[1] + frames[2]) / 2, atol=1e-6)


def test_over_one_place_the_place_is_not_taken_out() -> None:
    """A lost drone that circles: its frames overlap, and have the place itself in common."""
    rng = np.random.default_rng(6)
    place = unit(rng.normal(size=DIM))
    frames = unit(place + 0.35 * unit(rng.normal(size=(60, DIM))))
    domain = taught(frames, 0.3)
    assert domain.count > 50
    assert not domain.differs
    assert domain.taken_out(frames) is frames
