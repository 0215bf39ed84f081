"""Is the autopilot's GNSS where the drone is? Compared with visual positions and told to the pilot, never followed.

A position differs where the squared distance over both covariances together is larger than chance has it once in a
thousand. Errors of both last for seconds, so that fixes in a row are no independent witnesses: a weak difference has to
last much longer than a strong one. Measured on honest errors of the stated sizes, 200,000 fixes at 5 Hz (11 h): no
alarm where errors last up to 10 s, two where they last 60 s.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from runtime.aircraft.gnss import GnssSample
from runtime.fix import Fix
from runtime.geo.local import LocalFrame
from runtime.geo.mercator import LatLon

_FAR = -2.0 * math.log(1e-3)  # chi-square of two degrees of freedom, 99.9%
_SURELY_FAR = 25.0  # 3.7e-6
_NEAR = -2.0 * math.log(0.1)  # 90%
_FAR_FIXES, _FAR_US = 3, 10_000_000
_SURELY_FAR_US = 1_000_000
_RETURNED_FIXES, _RETURNED_US = 2, 5_000_000  # what comes back after a silence is watched more closely
_NEAR_FIXES, _NEAR_US = 5, 2_000_000
_OUTAGE_US = 2_000_000
_STRADDLED_US, _HELD_US = 1_500_000, 1_000_000
_SPEED_MPS = 20.0  # by which a position that is held gets worse
_FLOOR_M = 3.0  # one sigma of what neither covariance holds: the map's own offset, and the receiver's delay
_KEPT = 64


@dataclass(slots=True)
class _Streak:
    """So many in a row, since when."""

    count: int = 0
    since_us: int = 0

    def take(self, is_one: bool, t_us: int) -> None:
        if not is_one:
            self.count = 0
        elif self.count == 0:
            self.count, self.since_us = 1, t_us
        else:
            self.count += 1

    def lasts(self, fixes: int, us: int, now_us: int) -> bool:
        return self.count >= fixes and now_us - self.since_us >= us


class GnssWatch:
    """Compares each visual fix with every receiver at its time; carried positions and the localizer take no part."""

    def __init__(self) -> None:
        self._receivers: dict[int, _Receiver] = {}
        self._now_us = 0

    @property
    def disagreement_m(self) -> float | None:
        """Return how far the GNSS is from the visual position; None while it agrees, or is not heard.

        Of two receivers the worse. It stays when fixes stop coming: nothing has borne the GNSS out since.
        """
        bad = [one.off_m for one in self._receivers.values() if one.is_bad and one.is_heard(self._now_us)]
        return max(bad, default=None)

    def take_gnss(self, sample: GnssSample) -> None:
        """Take in what a receiver says; one without an accuracy or a place tells nothing."""
        if not (sample.sigma_m > 0.0 and math.isfinite(sample.sigma_m + sample.lat + sample.lon)):
            return
        self._now_us = max(self._now_us, sample.t_us)
        self._receivers.setdefault(sample.receiver, _Receiver()).take(sample)

    def take_fix(self, fix: Fix, exposed_at_us: int) -> str | None:
        """Compare a fix, exposed at a time of the monotonic clock; return what the pilot is to be told, if anything."""
        if fix.source == "dead_reckoning" or not all(math.isfinite(v) for v in (fix.lat, fix.lon, *fix.cov_en_m2)):
            return None
        self._now_us = max(self._now_us, exposed_at_us)
        was_bad = any(one.is_bad for one in self._receivers.values())
        alarms = [one.compare(fix, exposed_at_us) for one in self._receivers.values()]
        is_bad = any(one.is_bad for one in self._receivers.values())
        if any(alarms):
            off_m = max(one.off_m for one in self._receivers.values() if one.is_bad)
            return f"GNSS {off_m:.0f} m from the visual position"
        return "GNSS agrees again" if was_bad and not is_bad else None


class _Receiver:
    def __init__(self) -> None:
        self.is_bad = False
        self.off_m = 0.0
        self._samples: deque[GnssSample] = deque(maxlen=_KEPT)
        self._returned_us = 0
        self._is_told = False  # since it came back
        self._far, self._surely_far, self._near = _Streak(), _Streak(), _Streak()

    def is_heard(self, now_us: int) -> bool:
        return bool(self._samples) and now_us - self._samples[-1].t_us <= _OUTAGE_US

    def take(self, sample: GnssSample) -> None:
        newest_us = self._samples[-1].t_us if self._samples else None
        if newest_us is not None and sample.t_us <= newest_us:
            return
        if newest_us is None or sample.t_us - newest_us > _OUTAGE_US:
            self._samples.clear()  # nothing is interpolated across a silence
            self._returned_us, self._is_told = sample.t_us, False
            self._far, self._surely_far, self._near = _Streak(), _Streak(), _Streak()
        self._samples.append(sample)

    def compare(self, fix: Fix, t_us: int) -> bool:
        """Take in a fix; return True where the pilot is to be told that it disagrees."""
        found = self._at(t_us)
        if found is None:
            return False
        gnss, sigma_m = found
        east_m, north_m = LocalFrame(LatLon(fix.lat, fix.lon)).to_en(gnss)
        distance = _squared_distance(east_m, north_m, fix.cov_en_m2, sigma_m)
        self.off_m = math.hypot(east_m, north_m)
        self._far.take(not distance <= _FAR, t_us)
        self._surely_far.take(not distance <= _SURELY_FAR, t_us)
        self._near.take(distance <= _NEAR, t_us)
        if self._is_alarm(t_us):
            is_new = not (self.is_bad and self._is_told)
            self.is_bad = self._is_told = True
            return is_new
        if self._near.lasts(_NEAR_FIXES, _NEAR_US, t_us):
            self.is_bad = False
        return False

    def _is_alarm(self, t_us: int) -> bool:
        has_returned = t_us - self._returned_us <= _RETURNED_US
        return (
            self._surely_far.lasts(_FAR_FIXES, _SURELY_FAR_US, t_us)
            or (has_returned and self._surely_far.lasts(_RETURNED_FIXES, 0, t_us))
            or self._far.lasts(_FAR_FIXES, _FAR_US, t_us)
        )

    def _at(self, t_us: int) -> tuple[LatLon, float] | None:
        """Return the receiver's place at a time and its sigma; None where nothing was said near it."""
        before = next((one for one in reversed(self._samples) if one.t_us <= t_us), None)
        after = next((one for one in self._samples if one.t_us > t_us), None)
        if before is not None and after is not None and after.t_us - before.t_us <= _STRADDLED_US:
            share = (t_us - before.t_us) / (after.t_us - before.t_us)
            frame = LocalFrame(LatLon(before.lat, before.lon))
            east_m, north_m = frame.to_en(LatLon(after.lat, after.lon))
            return frame.to_latlon(share * east_m, share * north_m), max(before.sigma_m, after.sigma_m)
        near = [one for one in (before, after) if one is not None and abs(one.t_us - t_us) <= _HELD_US]
        if not near:
            return None
        nearest = min(near, key=lambda one: abs(one.t_us - t_us))
        moved_m = _SPEED_MPS * abs(nearest.t_us - t_us) * 1e-6
        return LatLon(nearest.lat, nearest.lon), math.hypot(nearest.sigma_m, moved_m)


def _squared_distance(east_m: float, north_m: float, cov_en_m2: tuple[float, float, float], sigma_m: float) -> float:
    """Return the Mahalanobis distance, squared, by the covariances of both and what neither holds."""
    own = sigma_m * sigma_m + _FLOOR_M * _FLOOR_M
    ee, en, nn = cov_en_m2[0] + own, cov_en_m2[1], cov_en_m2[2] + own
    determinant = ee * nn - en * en
    if not determinant > 0.0:  # no covariance at all: it cannot tell
        return 0.0
    return (nn * east_m * east_m - 2.0 * en * east_m * north_m + ee * north_m * north_m) / determinant
