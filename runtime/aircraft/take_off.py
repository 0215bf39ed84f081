"""Where the flight begins by the autopilot's GNSS: on the ground alone; in the air it never tells where a drone is."""

from __future__ import annotations

from runtime.aircraft.gnss import GnssSample
from runtime.aircraft.mavlink_decode import StartRequest

_SILENT_US = 3_000_000  # after a longer silence of the autopilot nobody knows when it left the ground
_OLD_US = 5_000_000  # then a receiver had lost its fix before take-off
_LEAST_SIGMA_M = 3.0  # the map's own offset, and what a receiver does not know of itself


class TakeOff:
    """Watches a vehicle that stands on the ground, and gives the place that it leaves.

    It has to be seen disarmed first: a daemon that begins anew in flight takes up no position, whatever is spoofed. The
    place is of the last moment on the ground, and none where the autopilot was silent between that and the air.
    """

    def __init__(self) -> None:
        self._newest: GnssSample | None = None
        self._place: GnssSample | None = None
        """By GNSS, when the vehicle last was told to stand on the ground."""
        self._stood_us: int | None = None
        self._is_armed: bool | None = None
        self._is_landed: bool | None = None
        self._was_disarmed = False

    def take_gnss(self, sample: GnssSample) -> None:
        """Take in what a receiver says; of several the surest."""
        before = self._newest
        if (
            before is None
            or sample.t_us - before.t_us > _OLD_US
            or sample.receiver == before.receiver
            or sample.sigma_m < before.sigma_m
        ):
            self._newest = sample

    def take_armed(self, now_us: int, *, is_armed: bool) -> StartRequest | None:
        """Take in HEARTBEAT (0): armed stands for the air where nothing better is told."""
        self._is_armed = is_armed
        return self._changed(now_us)

    def take_landed(self, now_us: int, *, is_landed: bool) -> StartRequest | None:
        """Take in EXTENDED_SYS_STATE (245): whether the vehicle stands on the ground."""
        self._is_landed = is_landed
        return self._changed(now_us)

    def _changed(self, now_us: int) -> StartRequest | None:
        """Return the place of take-off in the moment in which the vehicle leaves the ground."""
        stands = self._is_landed if self._is_landed is not None else not self._is_armed
        if stands:
            self._was_disarmed = self._was_disarmed or self._is_armed is False
            self._stood_us, self._place = now_us, self._newest
            return None
        place, stood_us, was_disarmed = self._place, self._stood_us, self._was_disarmed
        self._place, self._was_disarmed = None, False
        if place is None or stood_us is None or not was_disarmed:
            return None
        if now_us - stood_us > _SILENT_US or stood_us - place.t_us > _OLD_US:
            return None
        return StartRequest(place.t_us, place.lat, place.lon, max(place.sigma_m, _LEAST_SIGMA_M))
