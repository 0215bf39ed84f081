"""A feed that hangs is told from a drone that hovers, and telemetry that stands still from one that measures."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from runtime.fix import NoFixReason
from runtime.flights.flight import Flight
from runtime.frame import Frame
from runtime.locate.feed import Feed
from runtime.locate.limits import FRAME


def hangs(flight: Flight, *frames: Frame) -> list[NoFixReason | None]:
    feed, found = Feed(), []
    for frame in frames:
        feed, reason = feed.next(frame, flight.camera)
        found.append(reason)
    return found


def noisy(frame: Frame, grey: int, seed: int = 0) -> Frame:
    noise = np.random.default_rng(seed).integers(-grey, grey + 1, frame.picture.shape)
    return replace(frame, picture=np.clip(frame.picture + noise, 0, 255).astype(np.uint8))


def showing(frame: Frame, other: Frame) -> Frame:
    return replace(frame, picture=other.picture)


def later(frame: Frame, seconds: float) -> Frame:
    """Say the same at another time."""
    return replace(frame, telemetry=replace(frame.telemetry, t_us=frame.t_us + round(seconds * 1e6)))


def test_pictures_of_a_flight_are_no_hanging_feed(flight: Flight, frames: list[Frame]) -> None:
    assert hangs(flight, *frames) == [None] * len(frames)


def test_real_pictures_are_no_hanging_feed(real_flights: Path) -> None:
    for name in ("fengyuan", "chia", "mirafiori", "caliterra"):
        real = Flight.open(real_flights / name)
        assert set(hangs(real, *real.frames())) == {None}, name


@pytest.mark.parametrize("grey", [0, 1, 4])
def test_one_picture_for_ever_is_a_hanging_feed_whatever_noise_is_on_it(
    grey: int, flight: Flight, frames: list[Frame]
) -> None:
    shown = [noisy(showing(frame, frames[0]), grey, seed) for seed, frame in enumerate(frames)]
    assert hangs(flight, *shown) == [None, *["frozen_picture"] * (len(frames) - 1)]


def test_a_drone_that_stands_still_and_says_so_is_no_hanging_feed(flight: Flight, frames: list[Frame]) -> None:
    still = replace(frames[0].telemetry, vel_north_mps=0.0, vel_east_mps=0.0)
    hovering = [noisy(later(replace(frames[0], telemetry=still), k), 2, seed=k) for k in range(4)]
    assert hangs(flight, *hovering) == [None] * 4


def test_a_picture_that_moves_by_some_pixels_is_no_hanging_feed(flight: Flight, frames: list[Frame]) -> None:
    moved = replace(frames[1], picture=np.ascontiguousarray(np.roll(frames[0].picture, FRAME.sample_px, axis=1)))
    assert hangs(flight, frames[0], moved) == [None, None]


def test_telemetry_that_says_the_same_while_pictures_move_is_not_measured(flight: Flight, frames: list[Frame]) -> None:
    stuck = [replace(frame, telemetry=replace(frames[0].telemetry, t_us=frame.t_us)) for frame in frames]
    found = hangs(flight, *stuck)
    assert found[: FRAME.frozen_rows - 1] == [None] * (FRAME.frozen_rows - 1)
    assert found[FRAME.frozen_rows - 1] == "frozen_telemetry"
    feed = Feed()
    for frame in stuck:
        feed, _ = feed.next(frame, flight.camera)
    assert feed.stale
    assert not feed.next(later(frames[-1], 2), flight.camera)[0].stale, "another row, and it measures again"


def test_fast_pictures_between_two_rows_of_telemetry_are_no_reason(flight: Flight, frames: list[Frame]) -> None:
    fast = [showing(later(frames[0], k / 20), frames[k % len(frames)]) for k in range(30)]
    assert set(hangs(flight, *fast)) == {None}


def test_it_keeps_how_long_telemetry_has_stood_still_and_no_pictures(flight: Flight, frames: list[Frame]) -> None:
    feed, _ = Feed().next(frames[0], flight.camera)
    kept = Feed.from_json(json.loads(json.dumps(feed.to_json())))
    assert (kept.rows, kept.since_us) == (feed.rows, feed.since_us)
    assert kept.sample is None


def test_a_velocity_that_never_changes_is_no_measurement_and_one_that_is_not_told_is_none(
    flight: Flight, frames: list[Frame]
) -> None:
    def last(**velocity: float) -> Feed:
        feed = Feed()
        for frame in frames:
            feed, _ = feed.next(replace(frame, telemetry=replace(frame.telemetry, **velocity)), flight.camera)  # type: ignore[arg-type]
        return feed

    assert last(vel_north_mps=3.0, vel_east_mps=4.0).velocity_stale
    assert not last(vel_north_mps=0.0, vel_east_mps=0.0).velocity_stale, "it hovers"
    assert not last(vel_north_mps=math.nan, vel_east_mps=math.nan).velocity_stale
    assert not last().velocity_stale
