"""How far off the answers lie, where a benchmark says where its pictures are."""

from __future__ import annotations

from collections.abc import Sequence
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


def distance_scores(
    asked: RetrievalSet,
    answers: NDArray[np.int64],  # (Q, K) indices into the gallery, best first
) -> dict[str, Any] | None:
    """SDM@K in both readings, and the first answer's error in metres; None where some picture has no place."""
    query, gallery = ([s.lat_lon for s in shots if s.lat_lon] for shots in (asked.queries, asked.gallery))
    if len(query) < len(asked.queries) or len(gallery) < len(asked.gallery):
        return None
    found = np.array(gallery)[answers]  # (Q, K, 2)
    off_deg = np.linalg.norm(found - np.array(query)[:, None], axis=2)  # (Q, K): the benchmark's own reading
    off_m = np.array([[distance_m(LatLon(*q), LatLon(*a)) for a in row] for q, row in zip(query, found, strict=True)])
    first_m = off_m[:, 0]
    at = [k for k in _SDM_AT if k <= answers.shape[1]]
    return {
        **{f"sdm{k}_degrees": sdm(off_deg[:, :k], _PER_DEGREE) for k in at},
        **{f"sdm{k}_metres": sdm(off_m[:, :k], _PER_METRE) for k in at},
        "error_m": {
            "median": float(np.median(first_m)),
            "mean": float(first_m.mean()),
            **{f"within_{limit}m": float((first_m <= limit).mean()) for limit in _WITHIN_M},
        },
    }


def sdm(
    distances: Sequence[Sequence[float]] | NDArray[np.float64],  # (Q, K) of the first K answers, best first
    scale: float,  # 1 / distance at which an answer counts a third
) -> float:
    """Spatial distance metric, the mean of ``sum_i (K - i + 1) exp(-s d_i) / sum_i (K - i + 1)``; 1 is best."""
    near = np.exp(-scale * np.asarray(distances, np.float64))
    weight = np.arange(near.shape[1], 0, -1)
    return float((near @ weight / weight.sum()).mean())
