"""Two pictures of a fit: whether probabilities are true, and how far apart right and wrong similarities lie."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from calib.drawing import BLUE, FAINT, INK, RED, Colour, dot, headed, line, mixed, write
from calib.score.judge import BINS, JudgedFrames, reliability
from calib.score.queries import Query
from runtime.types import FloatArray, Picture

_SIDE_PX, _LEFT_PX, _TOP_PX, _BELOW_PX, _COUNTS_PX = 620, 64, 24, 48, 110
_BARS = 48


def reliability_picture(before: JudgedFrames, after: JudgedFrames, how: str) -> Picture:
    """Draw the share of right places over the probability that was said, with 90% intervals; below, how many frames."""
    height = _TOP_PX + _SIDE_PX + _COUNTS_PX + 3 * _BELOW_PX
    panel = np.full((height, _SIDE_PX + _LEFT_PX + 24, 3), 255, np.uint8)
    for tick in np.linspace(0, 1, 6).tolist():
        line(panel, _at(tick, 0), _at(tick, 1), mixed(FAINT, 0.5))
        line(panel, _at(0, tick), _at(1, tick), mixed(FAINT, 0.5))
        write(panel, f"{tick:.1f}", _text(_at(tick, 0), -12, 20))
        write(panel, f"{tick:.1f}", _text(_at(0, tick), -36, 5))
    line(panel, _at(0, 0), _at(1, 1), FAINT, 2)
    _marks(panel, before, FAINT, RED)
    _marks(panel, after, mixed(BLUE, 0.6), BLUE)
    write(panel, "share of frames whose place was right", _text(_at(0, 1), 0, -10))
    write(panel, "probability that was said", _text(_at(1, 0), -210, 46))
    labels = [
        f"{name}, ECE {judged.summary().ece:.3f}" for name, judged in (("fitted", after), ("the default", before))
    ]
    _legend(panel, list(zip(labels, (BLUE, RED), strict=True)), _at(0, 0))
    _counts(panel, after, height - _BELOW_PX // 2)
    return headed(panel, ["Are the probabilities true? On the diagonal they are.", f"Judged: {how}."])


def similarity_picture(queries: Sequence[Query]) -> Picture:
    """Draw the similarity of each frame's right tile and of the best one elsewhere; faint, of all tiles."""
    right = np.array([query.right for query in queries])
    elsewhere = np.array([query.elsewhere for query in queries])
    every = np.concatenate([query.similarity for query in queries])
    weight = np.concatenate([query.tiles for query in queries])
    edges = np.linspace(float(every.min()), float(max(every.max(), right.max())) + 1e-6, _BARS + 1)
    panel = np.full((420 + _BELOW_PX, _SIDE_PX + _LEFT_PX + 24, 3), 255, np.uint8)
    base = 420
    for values, weights, colour, thin in (
        (every, weight, FAINT, 0.5),
        (elsewhere, None, RED, 0.55),
        (right, None, BLUE, 0.55),
    ):
        counts = np.histogram(values, edges, weights=weights)[0]
        _steps(panel, counts / max(counts.max(), 1.0), base, colour, thin)
    for tick in np.linspace(edges[0], edges[-1], 6).tolist():
        x = _LEFT_PX + (tick - edges[0]) / (edges[-1] - edges[0]) * _SIDE_PX
        write(panel, f"{tick:.2f}", (round(x) - 16, base + 20))
    write(panel, "cosine", (_LEFT_PX + _SIDE_PX - 60, base + 40))
    apart = float((right > elsewhere).mean())
    entries = (("the right tile", BLUE), ("the best tile elsewhere", RED), ("all tiles", FAINT))
    _legend(panel, entries, np.array([_LEFT_PX, 0.0]))
    head = [f"Similarities of {len(queries)} frames; the right tile beats all elsewhere in {apart:.0%}"]
    return headed(panel, [*head, "Each curve is as high as its highest bar."])


def _at(probability: float, share: float) -> FloatArray:
    return np.array([_LEFT_PX + probability * _SIDE_PX, _TOP_PX + (1 - share) * _SIDE_PX])


def _text(point: FloatArray, right_px: int, down_px: int) -> tuple[int, int]:
    return round(float(point[0])) + right_px, round(float(point[1])) + down_px


def _marks(panel: Picture, judged: JudgedFrames, bar: Colour, colour: Colour) -> None:
    bins = reliability(judged.probability, judged.right)
    for group in bins:
        low, high = group.interval()
        line(panel, _at(group.mean_probability, low), _at(group.mean_probability, high), bar, 2)
    for group in bins:
        dot(panel, _at(group.mean_probability, group.right), 6.0, colour)


def _legend(panel: Picture, entries: Sequence[tuple[str, Colour]], corner: FloatArray) -> None:
    for i, (text, colour) in enumerate(entries):
        at = corner + np.array([16.0, 44.0 + 24.0 * i])
        dot(panel, at, 6.0, colour)
        write(panel, text, _text(at, 14, 5))


def _counts(panel: Picture, judged: JudgedFrames, base: int) -> None:
    """Draw how many frames there are in each bin."""
    bins = reliability(judged.probability, judged.right)
    most = max(group.count for group in bins)
    for group in bins:
        left, right = (round(_LEFT_PX + edge * _SIDE_PX) for edge in (group.low + 0.1 / BINS, group.high - 0.1 / BINS))
        top = base - round(group.count / most * (_COUNTS_PX - 24))
        cv2.rectangle(panel, (left, top), (right, base), mixed(BLUE, 0.45), -1)
        write(panel, str(group.count), ((left + right) // 2 - 8, top - 5))
    cv2.line(panel, (_LEFT_PX, base), (_LEFT_PX + _SIDE_PX, base), INK, 1)
    write(panel, "frames", (8, base))


def _steps(panel: Picture, heights: FloatArray, base: int, colour: Colour, thin: float) -> None:
    """Draw a histogram as a filled outline that others show through."""
    width = _SIDE_PX / len(heights)
    drawn = panel.copy()
    for i, height in enumerate(heights):
        left, right = round(_LEFT_PX + i * width), round(_LEFT_PX + (i + 1) * width)
        if height > 0:
            cv2.rectangle(drawn, (left, base - round(height * (base - 40))), (right - 1, base), colour, -1)
    cv2.addWeighted(drawn, thin, panel, 1 - thin, 0, dst=panel)
    cv2.line(panel, (_LEFT_PX, base), (_LEFT_PX + _SIDE_PX, base), INK, 1)
