"""Noise laid out in metres, so that one seed gives one pattern at any resolution."""

from __future__ import annotations

import cv2
import numpy as np

from runtime.types import FloatImage


def patches(shape: tuple[int, int], gsd_m: float, scale_m: float, rng: np.random.Generator) -> FloatImage:  # (H, W)
    """Draw smooth noise, mean 0, deviation about 1.4, with patches of ``scale_m``."""
    cells = [int(np.ceil(n * gsd_m / scale_m)) + 2 for n in shape]
    small = rng.standard_normal(cells, np.float32) * np.float32(1.6)  # interpolation takes off an eighth
    size = [max(round(n * scale_m / gsd_m), k) for n, k in zip(cells, shape, strict=True)]
    # resize, not warpAffine: the latter knows 32 steps between two pixels, and slopes would show them.
    return np.asarray(cv2.resize(small, size[::-1], interpolation=cv2.INTER_CUBIC), np.float32)[: shape[0], : shape[1]]


def fractal(
    shape: tuple[int, int], gsd_m: float, scale_m: float, octaves: int, rng: np.random.Generator
) -> FloatImage:  # (H, W)
    """Draw octaves of :func:`patches`, each half the size and 0.7 times the strength of the one before."""
    total = np.zeros(shape, np.float32)
    for k in range(octaves):
        octave = patches(shape, gsd_m, scale_m / 2**k, rng)
        octave *= 0.7**k  # in place: these pictures are large
        total += octave
    return total


def grain(shape: tuple[int, int], blur_px: float, rng: np.random.Generator) -> FloatImage:  # (H, W)
    """Draw pixel noise, slightly blurred, mean 0, deviation 1."""
    white = rng.integers(0, 256, shape, np.uint8)
    blurred = np.asarray(cv2.GaussianBlur(white, (0, 0), blur_px), np.float32)
    blurred -= blurred.mean()
    blurred /= blurred.std()
    return blurred


def rows(distance_m: FloatImage, spacing_m: float, rng: np.random.Generator) -> FloatImage:
    """Draw noise that depends on a distance alone: furrows, tyre tracks, planks."""
    low, high = float(distance_m.min()), float(distance_m.max())
    nodes = np.arange(low, high + 2 * spacing_m, spacing_m)
    return np.interp(distance_m, nodes, rng.standard_normal(len(nodes))).astype(np.float32)
