"""The slow, clear reference of the posterior: Bayes' rule in every cell of a small map, nothing approximated."""

from __future__ import annotations

import math

import numpy as np

from runtime.locate.belief_limits import POSTERIOR
from runtime.locate.posterior import Evidence
from runtime.types import FloatArray

CELL_M = 4.0


class BayesGrid:
    """Probability of each cell of a square map about the origin."""

    def __init__(self, side_m: float) -> None:
        cells = round(side_m / CELL_M)
        axis = (np.arange(cells) - (cells - 1) / 2) * CELL_M
        east, north = np.meshgrid(axis, axis)
        self.place_en_m: FloatArray = np.stack([east, north], axis=2)  # (R, C, 2)
        self.area_m2 = (cells * CELL_M) ** 2
        self.p: FloatArray = np.full((cells, cells), 1.0 / cells**2)

    def carry(self, shift_en_m: FloatArray, variance_m2: float) -> None:
        """Move by a displacement of so much variance in each direction; a little leaks to anywhere."""
        for axis, by_m in ((1, shift_en_m[0]), (0, shift_en_m[1])):
            cells = self.p.shape[axis]
            step_m = (np.arange(cells)[:, None] - np.arange(cells)[None]) * CELL_M  # to, from
            kernel = np.exp(-((step_m - by_m) ** 2) / (2 * variance_m2)) * CELL_M / math.sqrt(2 * math.pi * variance_m2)
            self.p = np.moveaxis(np.tensordot(kernel, self.p, axes=(1, axis)), 0, axis)
        self.p *= 1.0 - POSTERIOR.leak
        self.p += (1.0 - self.p.sum()) / self.p.size

    def see(self, seen: Evidence) -> None:
        """Weigh each cell: e + (1 - e) A sum p_i N(x; z_i, R), what is missing of the places being spread evenly."""
        says = 1.0 - seen.outlier_share
        likelihood = np.full(self.p.shape, seen.outlier_share + says * (1.0 - float(seen.probability.sum())))
        peak = self.area_m2 / (2 * math.pi * math.sqrt(float(np.linalg.det(seen.cov_m2))))
        for place, share in zip(seen.position_en_m, seen.probability, strict=True):
            away = self.place_en_m - place
            distance2 = np.einsum("rci,ij,rcj->rc", away, np.linalg.inv(seen.cov_m2), away)
            likelihood += says * share * peak * np.exp(-distance2 / 2)
        self.p *= likelihood
        self.p /= self.p.sum()

    def near(self, place_en_m: FloatArray, radius_m: float) -> tuple[float, FloatArray]:
        """Return the probability of being so near to a place, and the mean place if so."""
        inside = np.linalg.norm(self.place_en_m - place_en_m, axis=2) <= radius_m
        total = float(self.p[inside].sum())
        return total, np.asarray((self.p[inside][:, None] * self.place_en_m[inside]).sum(axis=0) / total)
