"""Where the flight begins by the autopilot's GNSS: on the ground alone, and once; in the air GNSS is never heard."""

from __future__ import annotations

from runtime.aircraft.gnss import GnssSample
from runtime.aircraft.mavlink_decode import StartRequest

_NEWEST_US = 5_000_000  # older than this the receiver had lost its fix before take-off
_LEAST_SIGMA_M = 3.0  # the map's own offset, and what a receiver does not know of itself


class TakeOff:
    """Watches a vehicle that stands on the ground, and gives the place that it leaves.

    A vehicle that is first heard in the air gives none: a daemon that begins anew in flight must not take up a position
    that may be spoofed. Nor does one that lands and takes off again.
    """

    def __init__(self) -> None:
        self._sample: GnssSample | None = None
        self._stood = self._is_over = False

    def take_gnss(self, sample: GnssSample) -> None:
        """Take in what a receiver says; of several the surest."""
        if self._is_over:
            return
        before = self._sample
        is_old = before is None or sample.t_us - before.t_us > _NEWEST_US
        if is_old or before is None or sample.receiver == before.receiver or sample.sigma_m < before.sigma_m:
            self._sample = sample

    def take_state(self, now_us: int, *, on_ground: bool) -> StartRequest | None:
        """Take in whether the vehicle stands on the ground; return the place of take-off in the moment it leaves it."""
        if self._is_over or on_ground:
            self._stood = self._stood or on_ground
            return None
        self._is_over, sample = True, self._sample
        if not self._stood or sample is None or now_us - sample.t_us > _NEWEST_US:
            return None
        return StartRequest(sample.t_us, sample.lat, sample.lon, max(sample.sigma_m, _LEAST_SIGMA_M))
