"""Is a reduced graph still good enough? By cosine to FP32, and by what counts: finding the right place.

A loss on a set of some hundred queries is partly chance: which near ties fall which way. It is told with its standard
error, and a gate fails when the loss is more than it allows and chance explains.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.retrieval import RetrievalSet
from export.parity import Embeddings, check_parity, embed
from runtime.errors import GateError
from runtime.types import Tick

MIN_WORST_COSINE = 0.90
MIN_MEAN_COSINE = 0.99
MAX_R1_LOSS = 0.005  # half a point
MAX_P90_LOSS = 0.02  # of FP32's metres
_MACS = 0.75e12  # what the changed pictures may cost a graph: twenty seconds of two cores
_QUERIES = (512, 4096)  # at least, at most; of 2,000 half a point is two standard errors of a good graph's loss
_RESAMPLES = 200
_MEND = "Calibrate on more pictures like those to be flown over (python -m calib.int8 --count 256), or fly FP16"


def _silent(done: int, total: int) -> None:
    """Nobody is told."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a graph answered on a retrieval set."""

    right: NDArray[np.bool_]  # (N,)
    off_m: NDArray[np.float64] | None  # (N,) from the true place to the answer's, where places are known

    @property
    def r1(self) -> float:
        """Share of queries whose nearest row is right."""
        return float(self.right.mean())


@dataclass(frozen=True, slots=True)
class SetResult:
    """A reduced graph beside FP32 on one retrieval set; a loss is negative where the reduced graph is better."""

    name: str
    sha256: str  # of the set
    queries: int
    gallery: int
    r1: float
    r1_fp32: float
    r1_loss_error: float  # standard error of the loss, from the queries that only one of the two found
    p90_m: float | None = None
    p90_m_fp32: float | None = None
    p90_loss_error: float | None = None  # as a share of FP32's, by resampling queries

    @property
    def r1_loss(self) -> float:
        return self.r1_fp32 - self.r1

    @property
    def p90_loss(self) -> float | None:
        """As a share of FP32's metres."""
        if self.p90_m is None or self.p90_m_fp32 is None:
            return None
        return self.p90_m / max(self.p90_m_fp32, 1e-9) - 1

    def failure(self) -> str | None:
        """Why the set refuses the graph, or None."""
        if not self.r1_loss - self.r1_loss_error <= MAX_R1_LOSS:
            lost = f"R@1 {self.r1:.3f}, FP32 {self.r1_fp32:.3f}, on {self.queries} queries of {self.name}"
            return f"{lost}; may lose {MAX_R1_LOSS} and a standard error of {self.r1_loss_error:.3f}"
        if self.p90_loss is not None and not self.p90_loss - (self.p90_loss_error or 0.0) <= MAX_P90_LOSS:
            lost = f"90% of {self.name} within {self.p90_m:.1f} m, FP32 {self.p90_m_fp32:.1f} m"
            return f"{lost}; may lose {MAX_P90_LOSS:.0%} and a standard error of {self.p90_loss_error or 0.0:.0%}"
        return None


@dataclass(frozen=True, slots=True)
class GateResult:
    """What a graph was measured to do, on pictures that nothing was calibrated on."""

    pictures: int
    cosine_mean: float
    cosine_worst: float
    sets: tuple[SetResult, ...]

    def as_json(self) -> dict[str, Any]:
        """For the manifest, with what was required."""
        required = {
            "cosine_mean": MIN_MEAN_COSINE,
            "cosine_worst": MIN_WORST_COSINE,
            "r1_loss": MAX_R1_LOSS,
            "p90_loss": MAX_P90_LOSS,
        }
        return {**_rounded(asdict(self)), "required": required, "to": "fp32"}

    def failure(self) -> str | None:
        """The first gate that the graph does not pass, or None."""
        if not self.cosine_worst >= MIN_WORST_COSINE:  # not >=, so that NaN fails too
            return f"worst cosine {self.cosine_worst:.4f}, needs {MIN_WORST_COSINE}"
        if not self.cosine_mean >= MIN_MEAN_COSINE:
            return f"mean cosine {self.cosine_mean:.4f}, needs {MIN_MEAN_COSINE}"
        return next((failure for found in self.sets if (failure := found.failure())), None)

    def check(self, what: str) -> None:
        """Raise GateError where the graph lost too much."""
        failure = self.failure()
        if failure:
            raise GateError(f"{what}: {failure}. {_MEND}")


class Judge:
    """FP32's answers, computed once, and graphs held against them.

    Each graph searches a gallery of its own embeddings, as the engine that builds a cache is the one that flies.
    """

    def __init__(
        self,
        fp32: Path,
        pictures: NDArray[np.uint8],  # (N, S, S, 3), not calibrated on
        sets: Sequence[RetrievalSet],
        tick: Tick = _silent,  # of the queries of each set
    ) -> None:
        self.pictures, self._sets = pictures, [(one, one.sha256) for one in sets]
        self.wanted = embed(fp32, pictures)  # (N, D)
        self._fp32 = [_search(fp32, one, optimise=True, tick=tick) for one in sets]

    def cosines(self, graph: Path) -> NDArray[np.float32]:  # (N,)
        """To FP32, picture by picture; raises GateError for a graph of another shape."""
        got = embed(graph, self.pictures, optimise=False)
        check_parity(self.wanted, got, what=graph.name.removesuffix(".partial"), min_cosine=-np.inf)
        return np.asarray((self.wanted * got).sum(axis=1), np.float32)

    def judge_pictures(self, graph: Path) -> GateResult:
        """The cosines alone."""
        cosines = self.cosines(graph)
        return GateResult(len(cosines), float(cosines.mean()), float(cosines.min()), ())

    def judge(self, graph: Path, tick: Tick = _silent) -> GateResult:
        """All that is measured of a graph. Sets are left out where the cosines fail already: that costs minutes."""
        result = self.judge_pictures(graph)
        if result.failure():
            return result
        found = (
            _compare(one, sha256, fp32, _search(graph, one, optimise=False, tick=tick))
            for (one, sha256), fp32 in zip(self._sets, self._fp32, strict=True)
        )
        return GateResult(result.pictures, result.cosine_mean, result.cosine_worst, tuple(found))


def changed_set(
    queries: NDArray[np.uint8],  # (N, S, S, 3), not calibrated on
    others: NDArray[np.uint8],  # (K, S, S, 3)
    macs: int,  # of one picture
) -> RetrievalSet:
    """Queries that must find their own picture after light, sharpness and place have changed a little.

    Each picture is changed many times, as a miss must not decide alone; less often where the graph is large.
    """
    least, most = _QUERIES
    count = int(np.clip(_MACS / max(macs, 1), least, most))
    gallery = np.concatenate([queries, others])
    own = np.arange(count) % len(queries)
    return RetrievalSet("changed pictures", _Changed(queries, count), gallery, own[:, None] == np.arange(len(gallery)))


def search(
    queries: Embeddings,  # (N, D)
    gallery: Embeddings,  # (M, D)
    one: RetrievalSet,
) -> Found:
    """Each query's nearest row, and what that is worth."""
    row = (queries @ gallery.T).argmax(axis=1)
    every = np.arange(len(row))
    return Found(one.right[every, row], None if one.off_m is None else one.off_m[every, row])


def _search(graph: Path, one: RetrievalSet, *, optimise: bool, tick: Tick) -> Found:
    queries = embed(graph, one.queries, optimise=optimise, fuse=True, tick=tick)
    return search(queries, embed(graph, one.gallery, optimise=optimise, fuse=True), one)


def _compare(one: RetrievalSet, sha256: str, fp32: Found, reduced: Found) -> SetResult:
    error = float(np.sqrt((fp32.right != reduced.right).sum())) / len(fp32.right)
    sizes = len(one.queries), len(one.gallery)
    result = SetResult(one.name, sha256, *sizes, reduced.r1, fp32.r1, error)
    if fp32.off_m is None or reduced.off_m is None:
        return result
    p90_m, p90_m_fp32 = (float(np.percentile(off_m, 90)) for off_m in (reduced.off_m, fp32.off_m))
    error = _p90_error(fp32.off_m, reduced.off_m)
    return replace(result, p90_m=p90_m, p90_m_fp32=p90_m_fp32, p90_loss_error=error)


def _p90_error(fp32_m: NDArray[np.float64], reduced_m: NDArray[np.float64]) -> float:
    """Standard error of the relative loss: the same queries are drawn for both, with replacement."""
    rows = np.random.default_rng(0).integers(0, len(fp32_m), (_RESAMPLES, len(fp32_m)))
    fp32, reduced = (np.percentile(off_m[rows], 90, axis=1) for off_m in (fp32_m, reduced_m))
    return float(np.std(reduced / np.maximum(fp32, 1e-9) - 1))


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 5)
    if isinstance(value, dict):
        return {key: _rounded(held) for key, held in value.items()}
    return [_rounded(held) for held in value] if isinstance(value, (list, tuple)) else value


class _Changed:
    """Query n is picture n modulo N, changed by the n-th seed.

    Noise is cut from one long strip: drawing it anew would take most of the time.
    """

    def __init__(self, pictures: NDArray[np.uint8], count: int) -> None:
        self._pictures, self._count = pictures, count
        self._noise = 6 * np.random.default_rng(0).standard_normal(2 * pictures[0].size, np.float32)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, rows: slice, /) -> NDArray[np.uint8]:
        chosen = range(*rows.indices(self._count))
        return np.stack([self._query(n) for n in chosen])

    def _query(self, n: int) -> NDArray[np.uint8]:  # (S, S, 3)
        return _changed(self._pictures[n % len(self._pictures)], self._noise, np.random.default_rng(n))


def _changed(
    picture: NDArray[np.uint8],  # (S, S, 3)
    noise: NDArray[np.float32],  # (2 * S * S * 3,)
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """The same ground on another day: shifted and turned a little, other light and colour, blur, noise."""
    side = len(picture)
    about = cv2.getRotationMatrix2D((side / 2, side / 2), rng.uniform(-20, 20), rng.uniform(0.85, 1.2))
    turn = np.asarray(about, np.float64)  # (2, 3)
    turn[:, 2] += rng.uniform(-0.12, 0.12, 2) * side
    moved = cv2.warpAffine(picture, turn, (side, side), borderMode=cv2.BORDER_REFLECT_101)
    softened = cv2.GaussianBlur(moved, (0, 0), rng.uniform(0.3, 1.5))
    curve = (np.arange(256) / 255) ** rng.uniform(0.6, 1.6)
    curves = np.asarray(255 * curve[:, None] * rng.uniform(0.8, 1.2, 3), np.float32)[None]  # (1, 256, 3)
    lit = np.asarray(cv2.LUT(softened, curves), np.float32)
    start = rng.integers(picture.size)
    lit += noise[start : start + picture.size].reshape(picture.shape)
    return np.asarray(np.clip(lit, 0, 255, out=lit), np.uint8)
