"""An autopilot's stamps, milliseconds since its boot, on this computer's monotonic clock."""

from __future__ import annotations

from collections import deque

_BUCKET_US = 1_000_000
_BUCKETS = 20  # crystals differ by some 50 ppm: over 20 s that is 1 ms
_SET_BACK_US = 500_000  # datagrams overtake each other by less; more is a new boot
_AHEAD_US = 1_000_000  # a stamp so far before its time is doubted
_AGREEING = 5  # so many of them in a row are believed: what came before had waited long


class ClockMap:
    """Learns the offset between two clocks from messages that each took an unknown time.

    The message that took the least time tells the offset best: it is the smallest difference of arrival and stamp over
    the last 20 s, short enough for drift. What stays in it is the least delay of the way, a few ms on a serial port;
    mapped times are so much late, and never later than the arrival. Source: the minimum filter of NTP (RFC 5905, 10).
    """

    def __init__(self) -> None:
        self.restarts = 0
        """How often the other clock was set back: the autopilot has booted anew."""
        self._least: deque[tuple[int, int]] = deque(maxlen=_BUCKETS)  # (bucket, the smallest offset in it)
        self._newest_boot_us: int | None = None
        self._ahead = 0

    def observe(self, boot_us: int, arrived_us: int) -> int:
        """Learn from a message that was stamped when it was sent, and return its time on this clock, microseconds."""
        if self._newest_boot_us is not None and boot_us < self._newest_boot_us - _SET_BACK_US:
            self._forget()
            self.restarts += 1
        offset_us = arrived_us - boot_us
        if self._least and offset_us < self._offset_us() - _AHEAD_US:
            self._ahead += 1
            if self._ahead < _AGREEING:
                return arrived_us
            self._forget()
        self._ahead = 0
        self._newest_boot_us = max(boot_us, self._newest_boot_us or 0)
        self._learn(arrived_us // _BUCKET_US, offset_us)
        return self.to_local_us(boot_us, arrived_us)

    def to_local_us(self, boot_us: int, arrived_us: int) -> int:
        """Return a stamp's time on this clock; the arrival's where nothing was learnt or the stamp is after it."""
        return min(boot_us + self._offset_us(), arrived_us) if self._least else arrived_us

    def _learn(self, bucket: int, offset_us: int) -> None:
        while self._least and self._least[0][0] <= bucket - _BUCKETS:
            self._least.popleft()
        if self._least and self._least[-1][0] == bucket:
            offset_us = min(offset_us, self._least.pop()[1])
        self._least.append((bucket, offset_us))

    def _offset_us(self) -> int:
        return min(offset for _, offset in self._least)

    def _forget(self) -> None:
        self._least.clear()
        self._newest_boot_us = None
        self._ahead = 0
