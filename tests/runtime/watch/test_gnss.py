"""A GNSS that lies is told within seconds, and an honest one never accused."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

from runtime.aircraft.gnss import GnssSample
from runtime.fix import Fix, FixSource
from runtime.geo.local import LocalFrame
from runtime.geo.mercator import LatLon
from runtime.watch.gnss import GnssWatch

S = 1_000_000
HOME = LocalFrame(LatLon(47.5, 8.2))
Offset = tuple[float, float]


class Told(NamedTuple):
    t_s: float
    text: str


def fix_at(east_m: float, north_m: float, cov_en_m2: tuple[float, float, float], source: FixSource) -> Fix:
    lat, lon = HOME.to_latlon(east_m, north_m)
    return Fix(0, lat, lon, None, None, None, None, cov_en_m2, source, 0.0, 50, 1.0)


def flown(
    watch: GnssWatch,
    spoof_m: Callable[[float], float | None],  # how far east the GNSS is off, by the time in seconds; None: silent
    *,
    until_s: float,
    from_s: float = 0.0,
    fixes_hz: float = 2.0,
    source: FixSource = "registration",
) -> list[Told]:
    """A flight at 15 m/s to the north with a receiver at 5 Hz; fixes come 0.2 s after their exposure."""
    told = []
    for step in range(round(from_s * 20), round(until_s * 20)):
        t_s = step / 20
        off_m = spoof_m(t_s)
        if step % 4 == 0 and off_m is not None:
            lat, lon = HOME.to_latlon(off_m, 15.0 * t_s)
            watch.take_gnss(GnssSample(round(t_s * S), lat, lon, 2.0))
        if step % round(20 / fixes_hz) == 3:
            at_s = t_s - 0.2
            text = watch.take_fix(fix_at(0.0, 15.0 * at_s, (9.0, 0.0, 9.0), source), round(at_s * S))
            if text is not None:
                told.append(Told(t_s, text))
    return told


def test_a_gnss_that_jumps_is_told_after_a_second_with_its_distance() -> None:
    watch = GnssWatch()
    told = flown(watch, lambda t_s: 300.0 if t_s >= 20.0 else 0.0, until_s=40.0)
    assert [one.text for one in told] == ["GNSS 300 m from the visual position"]
    assert 21.0 <= told[0].t_s <= 22.5
    assert watch.disagreement_m == pytest.approx(300.0, abs=1.0)


@pytest.mark.parametrize("drift_mps", [0.5, 2.0, 10.0])
def test_a_gnss_that_is_led_away_slowly_is_told_before_it_is_forty_metres_off(drift_mps: float) -> None:
    watch = GnssWatch()
    told = flown(watch, lambda t_s: max(t_s - 20.0, 0.0) * drift_mps, until_s=120.0)
    assert len(told) == 1
    assert 10.0 < drift_mps * (told[0].t_s - 20.0) < 40.0


def test_a_weak_difference_has_to_last() -> None:
    """21 m is 4.5 sigma of both and the floor together: chance has it once in 20,000."""
    told = flown(GnssWatch(), lambda t_s: 21.0 if t_s >= 20.0 else 0.0, until_s=60.0)
    assert len(told) == 1
    assert 30.0 <= told[0].t_s <= 31.5


def test_between_two_positions_of_a_slow_receiver_the_drone_has_flown_on() -> None:
    watch = GnssWatch()
    for k in range(1, 40):
        for t_s in (k, k + 1):
            lat, lon = HOME.to_latlon(0.0, 40.0 * t_s)
            watch.take_gnss(GnssSample(t_s * S, lat, lon, 2.0))
        assert watch.take_fix(fix_at(0.0, 40.0 * (k + 0.5), (9.0, 0.0, 9.0), "registration"), k * S + S // 2) is None


def test_one_that_is_right_again_is_told_once_and_not_at_once() -> None:
    watch = GnssWatch()
    told = flown(watch, lambda t_s: 100.0 if 20.0 <= t_s < 30.0 else 0.0, until_s=60.0)
    assert [one.text for one in told] == ["GNSS 100 m from the visual position", "GNSS agrees again"]
    assert 32.0 <= told[1].t_s <= 34.0
    assert watch.disagreement_m is None


@pytest.mark.parametrize("fixes_hz", [1.0, 2.0, 5.0])
def test_one_that_comes_back_wrong_is_told_within_two_seconds(fixes_hz: float) -> None:
    watch = GnssWatch()
    back_s = 50.0

    def spoof_m(t_s: float) -> float | None:
        return None if 20.0 <= t_s < back_s else 0.0 if t_s < 20.0 else 80.0

    assert flown(watch, spoof_m, until_s=back_s, fixes_hz=fixes_hz) == []
    told = flown(watch, spoof_m, from_s=back_s, until_s=70.0, fixes_hz=fixes_hz)
    assert [one.text for one in told] == ["GNSS 80 m from the visual position"]
    assert told[0].t_s - back_s <= 2.0


def test_one_that_was_wrong_is_unknown_while_it_is_silent_and_told_again_when_it_comes_back_wrong() -> None:
    watch = GnssWatch()

    def spoof_m(t_s: float) -> float | None:
        return None if 20.0 <= t_s < 40.0 else 80.0

    flown(watch, spoof_m, until_s=20.0)
    assert watch.disagreement_m == pytest.approx(80.0, abs=1.0)
    assert flown(watch, spoof_m, from_s=20.0, until_s=40.0) == []
    assert watch.disagreement_m is None
    told = flown(watch, spoof_m, from_s=40.0, until_s=60.0)
    assert [one.text for one in told] == ["GNSS 80 m from the visual position"]
    assert told[0].t_s <= 42.0


def test_a_single_wrong_fix_is_no_disagreement() -> None:
    watch = GnssWatch()
    told = flown(watch, lambda t_s: 500.0 if 20.0 <= t_s < 20.7 else 0.0, until_s=40.0)
    assert told == []


def test_a_position_that_is_only_carried_accuses_nobody() -> None:
    assert flown(GnssWatch(), lambda _: 300.0, until_s=40.0, source="dead_reckoning") == []


def test_the_worst_receiver_is_told() -> None:
    watch = GnssWatch()
    texts = []
    for k in range(100):
        for receiver, off_m in ((1, 60.0), (2, 150.0), (3, 0.0)):
            lat, lon = HOME.to_latlon(off_m, 0.0)
            watch.take_gnss(GnssSample(k * S // 5, lat, lon, 2.0, receiver))
        texts.append(watch.take_fix(fix_at(0.0, 0.0, (9.0, 0.0, 9.0), "registration"), k * S // 5))
    assert [text for text in texts if text] == ["GNSS 150 m from the visual position"]
    assert watch.disagreement_m == pytest.approx(150.0, abs=1.0)


def test_the_covariance_has_a_direction() -> None:
    """60 m along the long axis of the ellipse is chance, across it is not."""
    found = []
    for east_m, north_m in ((42.4, 42.4), (42.4, -42.4)):
        watch = GnssWatch()
        lat, lon = HOME.to_latlon(east_m, north_m)
        for k in range(50):
            watch.take_gnss(GnssSample(k * S // 5, lat, lon, 2.0))
            watch.take_fix(fix_at(0.0, 0.0, (450.0, 449.0, 450.0), "registration"), k * S // 5)
        found.append(watch.disagreement_m)
    assert found[0] is None
    assert found[1] == pytest.approx(60.0, abs=1.0)


def false_alarms(*, correlated_s: float, seed: int, sigma_m: float = 20.0, fixes: int = 10_000) -> int:
    """Alarms over honest fixes at 5 Hz, both errors of the stated sizes and each lasting some time (Gauss-Markov).

    The sigmas are large, so that the floor hides nothing.
    """
    rng = np.random.default_rng(seed)
    keeps = np.exp(-0.2 / correlated_s) if correlated_s else 0.0
    errors = np.zeros((fixes, 4))
    noise = rng.normal(size=(fixes, 4))
    errors[0] = noise[0]
    for k in range(1, fixes):
        errors[k] = keeps * errors[k - 1] + np.sqrt(1 - keeps**2) * noise[k]
    watch, alarms = GnssWatch(), 0
    for k, (ge, gn, fe, fn) in enumerate(sigma_m * errors):
        lat, lon = HOME.to_latlon(float(ge), float(gn))
        watch.take_gnss(GnssSample(k * S // 5, lat, lon, sigma_m))
        text = watch.take_fix(fix_at(float(fe), float(fn), (sigma_m**2, 0.0, sigma_m**2), "registration"), k * S // 5)
        alarms += text is not None and "m from" in text
    return alarms


@pytest.mark.parametrize("correlated_s", [0.0, 1.0, 10.0])
def test_an_honest_gnss_is_not_accused_in_ten_thousand_fixes(correlated_s: float) -> None:
    assert false_alarms(correlated_s=correlated_s, seed=1) == 0


def test_what_is_no_number_is_passed_over() -> None:
    watch = GnssWatch()
    watch.take_gnss(GnssSample(0, float("nan"), 8.0, 2.0))
    watch.take_gnss(GnssSample(0, 47.0, 8.0, float("nan")))
    watch.take_gnss(GnssSample(0, 47.0, 8.0, 2.0))
    assert watch.take_fix(fix_at(0.0, 0.0, (float("nan"), 0.0, 1.0), "registration"), 0) is None
    assert watch.disagreement_m is None
