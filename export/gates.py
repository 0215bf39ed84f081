"""Is a reduced graph still good enough? By cosine to FP32, and by what counts: finding the right place."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from export.parity import Embeddings, check_parity, embed
from runtime.errors import GateError

MIN_WORST_COSINE = 0.90
MIN_MEAN_COSINE = 0.98
MAX_R1_DROP = 0.02
_LEAST_QUERIES = 64  # fewer pictures are changed several times each: one miss must not decide alone
_MEND = "Calibrate on more pictures like those to be flown over (python -m calib.int8 --count 256), or fly FP16"


@dataclass(frozen=True, slots=True)
class GateResult:
    """What a graph was measured to do, on pictures that nothing was calibrated on."""

    pictures: int
    cosine_mean: float
    cosine_worst: float
    r1: float  # share of changed pictures whose nearest is the unchanged one
    r1_fp32: float

    def as_json(self) -> dict[str, Any]:
        """For the manifest, with what was required."""
        required = {"cosine_mean": MIN_MEAN_COSINE, "cosine_worst": MIN_WORST_COSINE, "r1_drop": MAX_R1_DROP}
        return {**{k: round(v, 5) for k, v in asdict(self).items()}, "required": required, "to": "fp32"}


def check_retrieval(
    fp32: Path,
    graph: Path,
    *,
    gallery: NDArray[np.uint8],  # (M, S, S, 3)
    queries: NDArray[np.uint8],  # (N, S, S, 3), the first N of the gallery; not calibrated on
) -> GateResult:
    """Compare ``graph`` with ``fp32``; raises GateError where it lost too much.

    A query is found again after its light, sharpness and place have changed a little. Each graph searches a gallery of
    its own embeddings, as the engine that builds a cache is the one that flies.
    """
    what = graph.name.removesuffix(".partial")
    count = len(queries) * max(1, -(-_LEAST_QUERIES // len(queries)))
    changed = np.stack([_changed(queries[i % len(queries)], np.random.default_rng(i)) for i in range(count)])
    own = np.arange(count) % len(queries)
    wanted, got = embed(fp32, gallery), embed(graph, gallery, optimise=False)
    worst = check_parity(wanted, got, what=what, min_cosine=MIN_WORST_COSINE)
    result = GateResult(
        pictures=len(queries),
        cosine_mean=float((wanted * got).sum(axis=1)[: len(queries)].mean()),
        cosine_worst=worst,
        r1=recall_at_1(embed(graph, changed, optimise=False), got, own),
        r1_fp32=recall_at_1(embed(fp32, changed), wanted, own),
    )
    if not result.cosine_mean >= MIN_MEAN_COSINE:
        raise GateError(f"{what}: mean cosine {result.cosine_mean:.4f}, needs {MIN_MEAN_COSINE}. {_MEND}")
    if not result.r1 >= result.r1_fp32 - MAX_R1_DROP:
        found = f"R@1 {result.r1:.3f} over {count} queries, FP32 {result.r1_fp32:.3f}"
        raise GateError(f"{what}: {found}; may lose {MAX_R1_DROP}. {_MEND}")
    return result


def recall_at_1(
    queries: Embeddings,  # (N, D)
    gallery: Embeddings,  # (M, D)
    own: NDArray[np.intp],  # (N,) row that each query shows
) -> float:
    """Share of queries whose nearest row is their own."""
    return float(((queries @ gallery.T).argmax(axis=1) == own).mean())


def _changed(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """The same ground on another day: shifted and turned a little, other light and colour, blur, noise."""
    side = len(picture)
    about = cv2.getRotationMatrix2D((side / 2, side / 2), rng.uniform(-20, 20), rng.uniform(0.85, 1.2))
    turn = np.asarray(about, np.float64)  # (2, 3)
    turn[:, 2] += rng.uniform(-0.12, 0.12, 2) * side
    moved = cv2.warpAffine(picture, turn, (side, side), borderMode=cv2.BORDER_REFLECT_101)
    softened = cv2.GaussianBlur(moved, (0, 0), rng.uniform(0.3, 1.5)).astype(np.float64)
    lit = 255 * (softened / 255) ** rng.uniform(0.6, 1.6) * rng.uniform(0.8, 1.2, 3)
    return np.clip(lit + rng.normal(0, 6, lit.shape), 0, 255).astype(np.uint8)
