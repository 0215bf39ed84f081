"""The pictures that a bundle's INT8 ranges will be measured on: chosen, stored, and entered into its manifest."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from calib.options import LEAST_PICTURES
from calib.samples.diverse import choose_diverse, statistics
from calib.samples.sources import Sample, samples
from calib.samples.stored_set import LIST, PICTURES, write_set
from runtime.errors import DataError
from runtime.model.bundle import Bundle, write_manifest
from runtime.progress import progress
from runtime.types import Tick

logger = logging.getLogger(__name__)

_OFFERED, _OFFERED_BYTES = 4, 1 << 29  # pictures read for one that is chosen, and how much may be held
_THUMB_PX, _THUMBS_A_ROW, _MOST_THUMBS = 96, 8, 64


@dataclass(frozen=True, slots=True)
class SetRequest:
    """A calibration set that ``python -m calib.int8`` is asked for."""

    sources: tuple[Path, ...]
    bundle: Path
    count: int = 256
    seed: int = 0
    sheet: Path | None = None


@dataclass(frozen=True, slots=True)
class ChosenSet:
    """A calibration set that was written."""

    path: Path
    pictures: int
    sources: int
    sha256: str

    def describe(self) -> str:
        """Return what to tell of the set, in one line."""
        return f"{self.path}: {self.pictures} pictures of {self.sources} sources, set {self.sha256[:12]}"


def make_set(request: SetRequest) -> ChosenSet:
    """Choose the pictures, write them beside the bundle and enter them; raises BundleError or DataError."""
    bundle = Bundle.open(request.bundle)
    with progress("pictures") as tick:
        chosen = choose(request.sources, request.count, bundle.side_px, request.seed, tick)
    sha256 = write_set(bundle.path, chosen, request.seed)
    about = {"list": LIST, "pictures": len(chosen), "seed": request.seed, "sha256": sha256}
    write_manifest(bundle.path, bundle.manifest.with_sections(calibration=about))
    if request.sheet:
        contact_sheet(chosen, request.sheet)
    _warn_of_one_view(request.sources)
    return ChosenSet(bundle.path / PICTURES, len(chosen), len(request.sources), sha256)


def choose(
    sources: Sequence[Path], count: int, side_px: int, seed: int, tick: Tick = lambda done, total: None
) -> list[Sample]:
    """Choose about ``count`` samples, the same number of each source where they have them; seeded.

    Of four times as many, those that show most kinds of ground (``calib.samples.diverse``). Raises DataError where
    there are not enough to measure anything.
    """
    chosen: list[Sample] = []
    for i, source in enumerate(sources):
        rng = np.random.default_rng((seed, i))
        share = -(-(count - len(chosen)) // (len(sources) - i))  # what earlier sources lacked, later ones make up
        most = max(share, min(_OFFERED * share, _OFFERED_BYTES // (3 * side_px**2)))
        offered = []
        for sample in samples(source, most, side_px, rng):
            offered.append(sample)
            tick(i * most + len(offered), len(sources) * most)
        if offered:
            features = np.stack([statistics(sample.picture) for sample in offered])
            chosen += [offered[row] for row in choose_diverse(features, share, rng)]
    if len(chosen) < LEAST_PICTURES:
        raise DataError(
            f"{len(chosen)} usable pictures are too few; give --from more folders, {LEAST_PICTURES} is the least"
        )
    return chosen


def contact_sheet(chosen: Sequence[Sample], path: Path) -> None:
    """Draw up to 64 samples, evenly taken, for people to judge."""
    size = (_THUMB_PX, _THUMB_PX)
    shown = chosen[:: -(-len(chosen) // _MOST_THUMBS)]
    thumbs = [cv2.resize(sample.picture, size, interpolation=cv2.INTER_AREA) for sample in shown]
    thumbs += [np.full((*size, 3), 255, np.uint8)] * (-len(thumbs) % _THUMBS_A_ROW)
    rows = [np.hstack(thumbs[i : i + _THUMBS_A_ROW]) for i in range(0, len(thumbs), _THUMBS_A_ROW)]
    cv2.imwrite(str(path), np.vstack(rows)[..., ::-1])


def _warn_of_one_view(sources: Sequence[Path]) -> None:
    """Say which view the set lacks, the drone's or the map's, where it has one alone."""
    are_maps = {source.suffix == ".mbtiles" for source in sources}
    if len(are_maps) == 1:
        lacking = "drone: give a flight too" if are_maps == {True} else "map: give a map.mbtiles too"
        logger.warning("no picture is from a %s; the encoder embeds both views", lacking)
