"""Distances on the ground: how far off the answers lie, where a benchmark says where its pictures are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.geo.local import distance_m
from runtime.geo.mercator import LatLon
from train.data.retrieval_set import RetrievalSet

TOP = 5  # answers that are looked at
_SDM_AT = (1, 3, 5)
_PER_DEGREE, _PER_METRE = 5e3, 1e-3  # Dai et al., DenseUAV, TIP 2024; Ji et al., GTA-UAV (Game4Loc), AAAI 2025
_WITHIN_M = (25, 50, 100)


@dataclass(frozen=True, slots=True)
class DistanceScores:
    """The distances between the queries of a set and their answers."""

    sdm_degrees: Mapping[int, float]  # SDM@K by K, as the benchmarks read it
    sdm_metres: Mapping[int, float]  # SDM@K by K, of distances in metres
    median_m: float  # of the first answers
    mean_m: float
    within: Mapping[int, float]  # share of the first answers by a distance in metres

    def to_json(self) -> dict[str, Any]:
        """Return the distances as they stand in ``scores.json``."""
        return {
            **{f"sdm{k}_degrees": value for k, value in self.sdm_degrees.items()},
            **{f"sdm{k}_metres": value for k, value in self.sdm_metres.items()},
            "error_m": {
                "median": self.median_m,
                "mean": self.mean_m,
                **{f"within_{limit_m}m": share for limit_m, share in self.within.items()},
            },
        }


def distance_scores(
    retrieval_set: RetrievalSet,
    answers: NDArray[np.int64],  # (Q, K) indices into the gallery, best first
) -> DistanceScores | None:
    """Measure SDM@K in both readings, and the first answers' errors; None where some picture has no place."""
    query, gallery = (
        [shot.lat_lon for shot in shots if shot.lat_lon] for shots in (retrieval_set.queries, retrieval_set.gallery)
    )
    if len(query) < len(retrieval_set.queries) or len(gallery) < len(retrieval_set.gallery):
        return None
    answered = np.array(gallery)[answers]  # (Q, K, 2) degrees
    off_deg = np.linalg.norm(answered - np.array(query)[:, None], axis=2)  # (Q, K): the benchmark's own reading
    off_m = np.array(
        [[distance_m(LatLon(*q), LatLon(*a)) for a in row] for q, row in zip(query, answered, strict=True)]
    )
    first_m = off_m[:, 0]
    depths = [k for k in _SDM_AT if k <= answers.shape[1]]
    return DistanceScores(
        sdm_degrees={k: sdm(off_deg[:, :k], _PER_DEGREE) for k in depths},
        sdm_metres={k: sdm(off_m[:, :k], _PER_METRE) for k in depths},
        median_m=float(np.median(first_m)),
        mean_m=float(first_m.mean()),
        within={limit_m: float((first_m <= limit_m).mean()) for limit_m in _WITHIN_M},
    )


def sdm(
    distances: Sequence[Sequence[float]] | NDArray[np.float64],  # (Q, K) of the first K answers, best first
    scale: float,  # 1 / distance at which an answer counts a third
) -> float:
    """Return the spatial distance metric, of which 1 is best.

    It is the mean over queries of ``sum_i (K - i + 1) exp(-s d_i) / sum_i (K - i + 1)``.
    """
    near = np.exp(-scale * np.asarray(distances, np.float64))
    weight = np.arange(near.shape[1], 0, -1)
    return float((near @ weight / weight.sum()).mean())
