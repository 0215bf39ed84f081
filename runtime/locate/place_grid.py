"""Where over the whole map the drone may be: a grid of probabilities that retrieval feeds and motion carries.

Markov localisation: bel(x) ~ p(z | x) sum p(x | x', u) bel(x'), with p(z | x) = (1 - e) softmax(s / T) + e / N over the
tiles' cosines s. Where a single frame looks like six places, a few frames in a row look like one.

Source: Thrun, Burgard and Fox, Probabilistic Robotics, sections 8.2 and 6.3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.locate.limits import GRID
from runtime.types import FloatArray, FloatImage


@dataclass(frozen=True, slots=True)
class TileLikelihood:
    """How likely each tile of a level makes what one ground view shows."""

    place_en_m: FloatArray  # (N, 2) of tiles
    logit: NDArray[np.float32]  # (N,) cosines over the temperature
    axis_en_m: tuple[float, float]  # from the drone to the ground that was embedded
    footprint_m: float
    stride_m: float


@dataclass(frozen=True, slots=True)
class Mode:
    """The likeliest place of the grid."""

    probability: float  # of being there, within some 60 m
    position_en_m: FloatArray  # (2,)
    cov_m2: FloatArray  # (2, 2)


class PlaceGrid:
    """Probability of the drone's position, metres east and north of the map's middle."""

    def __init__(self, low_en_m: FloatArray, high_en_m: FloatArray) -> None:
        """Anywhere in the box of the map's tiles (2,), (2,)."""
        self._low = low_en_m - GRID.margin_m
        across_m = high_en_m + GRID.margin_m - self._low
        self._cell_m = max(GRID.cell_m, math.sqrt(float(across_m.prod()) / GRID.max_cells))
        columns, rows = (math.ceil(side / self._cell_m) + 1 for side in across_m)
        self._p: FloatImage = np.full((rows, columns), 1.0 / (rows * columns), np.float32)

    def predict(self, shift_en_m: FloatArray, variance_m2: float) -> None:
        """Carry by a displacement (2,) of so much variance in each direction."""
        moved = self._moved(self._p, shift_en_m)
        moved = self._spread(moved, math.sqrt(variance_m2))
        total = float(moved.sum())
        share = (1.0 - GRID.leak) / total if total > 0 else 0.0  # it flew off the map: it may be anywhere
        self._p = moved * np.float32(share) + np.float32((1.0 - share * total) / moved.size)

    def see(self, likelihoods: Sequence[TileLikelihood], outlier_share: float, alt_agl_m: float) -> None:
        """Take in what retrieval says of a frame: a likelihood for each supposed heading."""
        best = max(float(tiles.logit.max()) for tiles in likelihoods)
        likelihood = np.zeros_like(self._p)
        for tiles in likelihoods:
            image = np.zeros_like(self._p)
            column, row = self._cells(tiles.place_en_m)
            np.maximum.at(image, (row, column), np.exp(tiles.logit - np.float32(best)))
            apart = math.ceil(tiles.stride_m / self._cell_m) | 1
            image = np.asarray(cv2.dilate(image, np.ones((apart, apart), np.uint8)), np.float32)  # between tiles
            image = self._spread(image, math.hypot(GRID.tilt_share * alt_agl_m, GRID.tile_share * tiles.footprint_m))
            likelihood += self._moved(image, -np.asarray(tiles.axis_en_m))
        self._weigh(likelihood, outlier_share)

    def see_position(self, position_en_m: FloatArray, cov_m2: FloatArray, outlier_share: float) -> None:
        """Take in a position (2,) that something else found."""
        rows, columns = np.indices(self._p.shape)
        away = np.stack([columns, rows], axis=2) * self._cell_m + self._low - position_en_m
        cov = cov_m2 + np.eye(2) * self._cell_m**2 / 4  # no narrower than a cell
        distance2 = np.einsum("rci,ij,rcj->rc", away, np.linalg.inv(cov), away)
        self._weigh(np.exp(-distance2 / 2).astype(np.float32), outlier_share)

    def log_prior(self, tiles: TileLikelihood) -> NDArray[np.float32]:
        """Return how likely each tile (N,) is looked at, against the likeliest, as sharp as the footprint allows."""
        blurred = self._spread(self._p, tiles.footprint_m / 4)
        column, row = self._cells(tiles.place_en_m - np.asarray(tiles.axis_en_m))
        share = blurred[row, column] / blurred.max()
        found: NDArray[np.float32] = np.log(np.maximum(share, np.float32(GRID.least_share)))
        return found

    def mode(self) -> Mode:
        """Find the likeliest place, how likely it is, and how wide."""
        smooth = self._spread(self._p, self._cell_m)
        row, column = np.unravel_index(int(smooth.argmax()), smooth.shape)
        reach = math.ceil(GRID.mode_radius_m / self._cell_m)
        first_row, first_column = max(int(row) - reach, 0), max(int(column) - reach, 0)
        near = self._p[first_row : int(row) + reach + 1, first_column : int(column) + reach + 1].astype(np.float64)
        rows, columns = np.indices(near.shape)
        place = np.stack([columns + first_column, rows + first_row], axis=2) * self._cell_m + self._low
        probability = float(near.sum())
        mean = np.einsum("rc,rci->i", near, place) / probability
        away = place - mean
        spread = np.einsum("rc,rci,rcj->ij", near, away, away) / probability
        return Mode(probability, mean, spread + np.eye(2) * self._cell_m**2 / 12)  # anywhere in a cell

    def _weigh(self, likelihood: FloatImage, outlier_share: float) -> None:
        total = float(likelihood.sum())
        share = (1.0 - outlier_share) / total if total > 0 else 0.0
        weighed = self._p * (likelihood * np.float32(share) + np.float32(outlier_share / likelihood.size))
        self._p = weighed / weighed.sum()

    def _cells(self, place_en_m: FloatArray) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Find columns and rows (N,) of places (N, 2); what lies off the grid is on its rim."""
        cell = np.rint((place_en_m - self._low) / self._cell_m).astype(np.intp)
        rows, columns = self._p.shape
        return cell[:, 0].clip(0, columns - 1), cell[:, 1].clip(0, rows - 1)

    def _moved(self, image: FloatImage, shift_en_m: FloatArray) -> FloatImage:
        east, north = shift_en_m / self._cell_m
        if not (east or north):
            return image
        matrix = np.array([[1.0, 0.0, east], [0.0, 1.0, north]])
        return np.asarray(cv2.warpAffine(image, matrix, image.shape[::-1], flags=cv2.INTER_LINEAR), np.float32)

    def _spread(self, image: FloatImage, sigma_m: float) -> FloatImage:
        """Blur by a Gaussian; past the grid there is nothing."""
        sigma = min(sigma_m / self._cell_m, max(image.shape) / 2)
        if sigma < 0.3:
            return image
        return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT), np.float32)
