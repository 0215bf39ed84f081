"""Timed samples of one quantity: between them interpolated, after them held for a while, and the impossible refused."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter, deque
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from runtime.aircraft.quaternion import angle_deg, between, normalised

Value: TypeAlias = tuple[float, ...]
Fault: TypeAlias = Literal["never_heard", "stale", "not_finite", "impossible", "jumping"]
"""Why a quantity is unknown: no sample yet, none near enough, or what the newest sample was refused for."""

_KEPT = 512  # 10 s at 50 a second
_SHORTEST_STEP_S = 0.02  # stamps are whole milliseconds, and two may be one: a rate over less says nothing
_AGREEING = 5  # so many samples in a row that agree with each other are believed against the one before the jump
_UNIT_WITHIN = 0.1  # of a quaternion's length


@dataclass(frozen=True, slots=True)
class ChannelLimits:
    """What a quantity can be; rates are a second: degrees of a rotation, else the value's own unit."""

    oldest_s: float
    """How far from a sample in time the quantity is still known."""
    largest: float = math.inf  # of the vector's length
    fastest_per_s: float = math.inf
    is_rotation: bool = False


class TimedValue(NamedTuple):
    """A value and when it was measured."""

    t_us: int
    value: Value


class Channel:
    """A bounded row of samples of one quantity, in the order of their times."""

    def __init__(self, limits: ChannelLimits) -> None:
        self._limits = limits
        self._oldest_us = round(limits.oldest_s * 1e6)
        self._samples: deque[TimedValue] = deque(maxlen=_KEPT)
        self._after_jump: list[TimedValue] = []
        self._refused: tuple[int, Fault] | None = None  # newer than every sample
        self.refusals: Counter[Fault] = Counter()

    @property
    def newest_us(self) -> int | None:
        """Return when the newest believed sample was taken."""
        return self._samples[-1].t_us if self._samples else None

    def add(self, t_us: int, value: Value) -> Fault | None:
        """Take a sample in, or refuse it and say why; one that comes after a newer one is passed over."""
        newest_us = self.newest_us
        if newest_us is not None and t_us <= newest_us:
            if newest_us - t_us <= self._oldest_us:
                return None
            self.clear()  # the sender's clock was set back: what was before has no place on it
        fault = self._fault_of(value)
        sample = TimedValue(t_us, value)
        if fault is None:
            sample = TimedValue(t_us, self._tidied(value))
            if self._jumps(self._samples[-1] if self._samples else None, sample):
                fault = self._doubted(sample)
        if fault is not None:
            self.refusals[fault] += 1
            self._refused = t_us, fault
            return fault
        self._refused = None
        self._after_jump.clear()
        self._samples.append(sample)
        return None

    def at(self, t_us: int) -> Value | Fault:
        """Return the value at a time, or why it is unknown."""
        if self._refused is not None and self._refused[0] <= t_us:
            refused_us, fault = self._refused
            return fault if t_us - refused_us <= self._oldest_us else "stale"
        if not self._samples:
            return "never_heard"
        after = bisect_right(self._samples, t_us, key=lambda sample: sample.t_us)
        if after == 0:
            return "stale"  # before all that is kept
        before = self._samples[after - 1]
        if after == len(self._samples):
            return before.value if t_us - before.t_us <= self._oldest_us else "stale"
        behind = self._samples[after]
        if min(t_us - before.t_us, behind.t_us - t_us) > self._oldest_us:
            return "stale"
        return self._between(before.value, behind.value, (t_us - before.t_us) / (behind.t_us - before.t_us))

    def clear(self) -> None:
        """Forget every sample."""
        self._samples.clear()
        self._after_jump.clear()
        self._refused = None

    def _fault_of(self, value: Value) -> Fault | None:
        if not all(math.isfinite(part) for part in value):
            return "not_finite"
        length = math.hypot(*value)
        if self._limits.is_rotation:
            return None if abs(length - 1.0) <= _UNIT_WITHIN else "impossible"
        return None if length <= self._limits.largest else "impossible"

    def _tidied(self, value: Value) -> Value:
        return normalised(_quaternion(value)) if self._limits.is_rotation else value

    def _between(self, a: Value, b: Value, share: float) -> Value:
        if self._limits.is_rotation:
            return between(_quaternion(a), _quaternion(b), share)
        return tuple(p + share * (q - p) for p, q in zip(a, b, strict=True))

    def _jumps(self, before: TimedValue | None, sample: TimedValue) -> bool:
        """Tell whether nothing that flies gets from one sample to the other; after a silence, anything may be."""
        if before is None or sample.t_us - before.t_us > self._oldest_us:
            return False
        if self._limits.is_rotation:
            way = angle_deg(_quaternion(before.value), _quaternion(sample.value))
        else:
            way = math.dist(before.value, sample.value)
        step_s = max((sample.t_us - before.t_us) * 1e-6, _SHORTEST_STEP_S)
        return way > self._limits.fastest_per_s * step_s

    def _doubted(self, sample: TimedValue) -> Fault | None:
        """Refuse a sample beyond a jump; where enough agree beyond it, begin anew there and return None."""
        row = self._after_jump
        if row and (sample.t_us <= row[-1].t_us or self._jumps(row[-1], sample)):
            row.clear()
        row.append(sample)
        if len(row) < _AGREEING:
            return "jumping"
        self._samples.clear()  # nothing is interpolated across a jump
        self._samples.extend(row[:-1])
        return None


def _quaternion(value: Value) -> tuple[float, float, float, float]:
    w, x, y, z = value
    return w, x, y, z
