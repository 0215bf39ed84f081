"""How good were the fixes? The only reader of the truth; the report that ``runtime.replay`` writes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from typing import Any

import numpy as np

from runtime.fix import Fix, NoFix, Verdict
from runtime.flights.truth import Truth
from runtime.geo.local import LocalFrame, distance_m
from runtime.geo.mercator import LatLon
from runtime.types import FloatArray

FORMAT = 1
MAX_SPEED_MPS = 30.0
"""What a drone flies: the rule of a jump is the scorer's own, whatever the localizer goes by."""
_WITHIN_M = (5, 10, 25, 50)
_COVERAGES = (0.50, 0.90, 0.99)


@dataclass(frozen=True, slots=True)
class ErrorSummary:
    """Errors over ``count`` frames, metres; None is infinite. Without a frame nothing but ``count`` is known."""

    count: int
    median: float | None = None
    mean: float | None = None
    p90: float | None = None
    p95: float | None = None
    worst: float | None = None
    within: Mapping[str, float] | None = None  # shares of the frames, by "25m"

    def to_json(self) -> dict[str, Any]:
        """Return the summary as a report holds it."""
        return asdict(self) if self.count else {"count": 0}


@dataclass(frozen=True, slots=True)
class Errors:
    """Errors over the frames that have a fix, and over all of them, a miss counted as infinite."""

    of_fixes: ErrorSummary
    of_all_frames: ErrorSummary


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Milliseconds of a stage over the frames that had it."""

    p50: float
    p99: float


@dataclass(frozen=True, slots=True)
class HplMiss:
    """A fix that lay further off than its protection level."""

    t_us: int
    source: str
    error_m: float
    hpl_m: float


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What a replay came to: the contents of ``report.json``."""

    frames: int
    fixes: int
    no_fix_rate: float | None
    time_to_first_fix_s: float | None
    sources: Mapping[str, int]  # fixes by what they rest on
    no_fix_reasons: Mapping[str, int]
    doubts: Mapping[str, int]  # frames under which something that was told was doubted, by what
    position_error_m: Errors
    ground_error_m: Errors
    coverage: Mapping[str, float | None]  # share of true positions inside the ellipse of each probability, by "90%"
    hpl_misses: int
    hpl_missed: Sequence[HplMiss]  # each of them
    jumps: int  # steps between two fixes in a row that no drone makes
    latency_ms: Mapping[str, Percentiles]

    def to_json(self) -> dict[str, Any]:
        """Return plain values, the format's number first."""
        values: dict[str, Any] = {"format": FORMAT}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Errors):
                value = {"of_fixes": value.of_fixes.to_json(), "of_all_frames": value.of_all_frames.to_json()}
            values[field.name] = value
        values["hpl_missed"] = [asdict(miss) for miss in self.hpl_missed]
        return values | {"latency_ms": {stage: asdict(ms) for stage, ms in self.latency_ms.items()}}


def score(
    verdicts: Sequence[Verdict], truth: Mapping[int, Truth], stages_ms: Sequence[Mapping[str, float]]
) -> ReplayReport:
    """Compare the verdicts of a replay with the truth by exposure time.

    Frames whose truth was not verified are not scored.
    """
    truth = {t_us: known for t_us, known in truth.items() if known.verified}
    fixes = [v for v in verdicts if isinstance(v, Fix)]
    drone = [(f, t.drone) for f in fixes if (t := truth.get(f.t_us)) is not None and t.drone is not None]
    errors_m = [distance_m(true, LatLon(f.lat, f.lon)) for f, true in drone]
    ground_m = [
        distance_m(t.ground, LatLon(f.ground_lat, f.ground_lon))
        for f in fixes
        if (t := truth.get(f.t_us)) is not None
        and t.ground is not None
        and f.ground_lat is not None
        and f.ground_lon is not None
    ]
    missed = [
        HplMiss(f.t_us, f.source, round(error, 2), round(f.hpl_m, 2))
        for error, (f, _) in zip(errors_m, drone, strict=True)
        if error > f.hpl_m
    ]
    known = [truth[v.t_us] for v in verdicts if v.t_us in truth]
    return ReplayReport(
        frames=len(verdicts),
        fixes=len(fixes),
        no_fix_rate=round(1.0 - len(fixes) / len(verdicts), 4) if verdicts else None,
        time_to_first_fix_s=(fixes[0].t_us - verdicts[0].t_us) * 1e-6 if fixes else None,
        sources=dict(Counter(f.source for f in fixes)),
        no_fix_reasons=dict(Counter(v.reason for v in verdicts if isinstance(v, NoFix))),
        doubts=dict(Counter(doubt for v in verdicts for doubt in v.doubts)),
        position_error_m=_errors(errors_m, sum(t.drone is not None for t in known)),
        ground_error_m=_errors(ground_m, sum(t.ground is not None for t in known)),
        coverage=coverage(drone),
        hpl_misses=len(missed),
        hpl_missed=missed,
        jumps=jumps(verdicts),
        latency_ms=latency(verdicts, stages_ms),
    )


def jumps(verdicts: Sequence[Verdict]) -> int:
    """Count steps between two fixes in a row that are further than a drone flies and both protection levels allow."""
    return sum(_jumps(a, b) for a, b in pairwise(verdicts) if isinstance(a, Fix) and isinstance(b, Fix))


def _jumps(a: Fix, b: Fix) -> bool:
    reach_m = MAX_SPEED_MPS * abs(b.t_us - a.t_us) * 1e-6 + a.hpl_m + b.hpl_m
    return distance_m(LatLon(a.lat, a.lon), LatLon(b.lat, b.lon)) > reach_m


def _errors(errors_m: Sequence[float], frames: int) -> Errors:
    return Errors(error_summary(errors_m, len(errors_m)), error_summary(errors_m, frames))


def error_summary(errors_m: Sequence[float], frames: int) -> ErrorSummary:
    """Summarise errors over ``frames``; those without an error count as infinitely wrong."""
    if frames == 0:
        return ErrorSummary(0)
    every = np.sort(np.concatenate([errors_m, np.full(frames - len(errors_m), math.inf)]))
    return ErrorSummary(
        count=frames,
        median=_finite(_quantile(every, 0.50)),
        mean=_finite(float(every.mean())),
        p90=_finite(_quantile(every, 0.90)),
        p95=_finite(_quantile(every, 0.95)),
        worst=_finite(float(every[-1])),
        within={f"{limit}m": round(float((every <= limit).mean()), 4) for limit in _WITHIN_M},
    )


def coverage(drone: Sequence[tuple[Fix, LatLon]]) -> dict[str, float | None]:
    """Return the share of true positions inside the stated ellipse of each probability; honest is as near as can be."""
    distances = [_mahalanobis2(fix, true) for fix, true in drone]
    return {
        f"{share:.0%}": round(float(np.mean([d <= -2.0 * math.log(1.0 - share) for d in distances])), 4)
        if distances
        else None
        for share in _COVERAGES
    }


def latency(verdicts: Sequence[Verdict], stages_ms: Sequence[Mapping[str, float]]) -> dict[str, Percentiles]:
    """Return p50 and p99 of each stage over the frames that had it, and of the whole frame."""
    stages = {name for one in stages_ms for name in one}
    samples = {name: [one[name] for one in stages_ms if name in one] for name in sorted(stages)}
    samples["frame"] = [v.latency_ms for v in verdicts]
    return {
        name: Percentiles(round(float(np.percentile(ms, 50)), 2), round(float(np.percentile(ms, 99)), 2))
        for name, ms in samples.items()
        if ms
    }


def _mahalanobis2(fix: Fix, true: LatLon) -> float:
    away = np.array(LocalFrame(true).to_en(LatLon(fix.lat, fix.lon)))
    ee, en, nn = fix.cov_en_m2
    return float(away @ np.linalg.solve(np.array([[ee, en], [en, nn]]), away))


def _quantile(ordered: FloatArray, share: float) -> float:
    """Return the smallest error that at least ``share`` of the frames keep to; infinite where they do not."""
    return float(ordered[math.ceil(share * len(ordered)) - 1])


def _finite(value: float) -> float | None:
    """Turn infinity into None: JSON has no such number."""
    return round(value, 3) if math.isfinite(value) else None
