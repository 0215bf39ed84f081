"""How far the drone came: by the velocity that the aircraft tells, as far as the map has borne it out, and by pictures.

A told velocity may be zero, negated, of another unit or another axis. So it is a regressor and not a measurement: the
true way is (I + E) w + E' c t for the way w that is told in t seconds, and the error E (2, 3) begins unknown and is
narrowed by each pair of registrations (recursive least squares). What is not yet borne out, in a direction not yet
flown, leaves the way uncertain. A velocity that two registrations in a row contradict is not heard until others bear it
out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from runtime.locate.belief_limits import MOTION
from runtime.locate.kept import covariance
from runtime.types import FloatArray


@dataclass(frozen=True, slots=True)
class Shift:
    """A drone's displacement, metres."""

    en_m: FloatArray  # (2,)
    cov_m2: FloatArray  # (2, 2)

    def agrees_with(self, other: Shift) -> bool:
        """Tell whether two displacements can be one (99%)."""
        away = self.en_m - other.en_m
        return float(away @ np.linalg.solve(self.cov_m2 + other.cov_m2, away)) <= MOTION.gate_99

    def together_with(self, other: Shift) -> Shift:
        """Weigh two independent displacements by what they know."""
        gain = self.cov_m2 @ np.linalg.inv(self.cov_m2 + other.cov_m2)
        return Shift(self.en_m + gain @ (other.en_m - self.en_m), self.cov_m2 - gain @ self.cov_m2)


@dataclass(frozen=True, slots=True)
class ToldWay:
    """A way reckoned from told velocities."""

    seconds: float = 0.0
    en_m: tuple[float, float] = (0.0, 0.0)
    variance_m2: float = 0.0  # in each direction, for it is told now and then

    @classmethod
    def between(cls, seconds: float, first_en_mps: FloatArray, last_en_mps: FloatArray) -> ToldWay:
        """Reckon the way between two told velocities (2,): what lies between is a bridge of random accelerations."""
        east, north = ((first_en_mps + last_en_mps) / 2 * seconds).tolist()
        return cls(seconds, (east, north), MOTION.bridge_psd_m2ps3 * seconds**3 / 12)

    def then(self, other: ToldWay) -> ToldWay:
        """Return this way and another after it as one."""
        return ToldWay(
            self.seconds + other.seconds,
            (self.en_m[0] + other.en_m[0], self.en_m[1] + other.en_m[1]),
            self.variance_m2 + other.variance_m2,
        )

    @property
    def regressors(self) -> FloatArray:  # (3,)
        """What an error of the velocity multiplies: the way, and the time."""
        return np.array([*self.en_m, MOTION.offset_mps * self.seconds])

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ToldWay:
        """Read a record as plain values; raises KeyError, TypeError or ValueError."""
        east, north = values["en_m"]
        if not (values["seconds"] >= 0.0 and values["variance_m2"] >= 0.0):
            raise ValueError(f"a way of {values['seconds']} s, variance {values['variance_m2']} m2")
        return cls(float(values["seconds"]), (float(east), float(north)), float(values["variance_m2"]))


def _unknown() -> FloatArray:
    return np.eye(3) * MOTION.error_sigma**2


def _never_better() -> FloatArray:
    """How wrong a velocity that was borne out may be all along: of scale, of heading, and of wind."""
    return np.diag(np.square([MOTION.least_error, MOTION.least_error, MOTION.velocity_sigma_mps / MOTION.offset_mps]))


@dataclass(frozen=True, slots=True)
class VelocityTrust:
    """What registrations have shown of the velocity that the aircraft tells."""

    error: FloatArray  # (2, 3) E
    doubt: FloatArray  # (3, 3) covariance of each of its rows
    contradicted: int = 0  # checks in a row
    borne_out: int = 0  # checks in a row: two for one over a way that tells, else one
    ignored: bool = False

    @classmethod
    def unproven(cls) -> VelocityTrust:
        """Begin: nothing has been shown."""
        return cls(np.zeros((2, 3)), _unknown())

    def shift(self, way: ToldWay, before: ToldWay) -> Shift | None:
        """Return the displacement that a told way stands for, ``before`` it since the last registration; None: ignored.

        The error is one and the same all the way, so its part of the variance grows with the square of the way.
        """
        if self.ignored:
            return None
        proven = self.borne_out >= MOTION.borne_out
        error, doubt = (self.error, self.doubt) if proven else (np.zeros((2, 3)), _unknown())
        doubt = doubt + _never_better()
        then, now = (one.regressors for one in (before, before.then(way)))
        grown = max(float(now @ doubt @ now - then @ doubt @ then), 0.0)
        own = float(way.regressors @ doubt @ way.regressors)
        en_m = np.array(way.en_m) + error @ way.regressors
        return Shift(en_m, np.eye(2) * (way.variance_m2 + max(grown, own)))

    def checked(self, way: ToldWay, shown: Shift) -> VelocityTrust:
        """Take in how far the drone came by two registrations, with what was told of it."""
        x, drifted = way.regressors, self.doubt + np.eye(3) * MOTION.error_drift**2
        noise = way.variance_m2 + float(np.trace(shown.cov_m2)) / 2
        off = shown.en_m - np.array(way.en_m)
        by_error = (MOTION.believed_error * math.hypot(*way.en_m)) ** 2
        by_wind = (MOTION.velocity_sigma_mps * way.seconds) ** 2
        if float(off @ off) / (noise + by_error + by_wind) > MOTION.gate_99:
            contradicted = self.contradicted + 1
            ignored = self.ignored or contradicted >= MOTION.contradictions
            now = replace(self, contradicted=contradicted, borne_out=0, ignored=ignored)
        else:
            telling = math.hypot(*way.en_m) >= MOTION.telling_sigmas * math.sqrt(noise)
            borne_out = self.borne_out + (2 if telling else 1)
            ignored = self.ignored and borne_out < MOTION.heard_again
            now = replace(self, contradicted=0, borne_out=borne_out, ignored=ignored)
        innovation = off - self.error @ x
        expected = float(x @ (drifted + _never_better()) @ x) + noise
        if float(innovation @ innovation) / expected > MOTION.gate_99:  # it was something else before
            return replace(now, error=np.zeros((2, 3)), doubt=_unknown())
        gain = drifted @ x / expected
        return replace(now, error=self.error + np.outer(innovation, gain), doubt=drifted - np.outer(gain, x @ drifted))

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "error": self.error.tolist(),
            "doubt": self.doubt.tolist(),
            "contradicted": self.contradicted,
            "borne_out": self.borne_out,
            "ignored": self.ignored,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> VelocityTrust:
        """Read what :meth:`to_json` wrote; raises KeyError, TypeError or ValueError."""
        return cls(
            np.array(values["error"], np.float64).reshape(2, 3),
            covariance(values["doubt"], 3),
            int(values["contradicted"]),
            int(values["borne_out"]),
            bool(values["ignored"]),
        )


def shift_of(told: Shift | None, seen: Shift | None) -> Shift | None:
    """Choose how far the drone came by what is told and what pictures show; None: not known, as where they disagree."""
    if told is None or seen is None:
        return told or seen
    return told.together_with(seen) if told.agrees_with(seen) else None
