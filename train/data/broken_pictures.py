"""Pictures that cannot be read: found once, before a run starts, and named; a few are left out, many end the run."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import cv2
from PIL import Image, UnidentifiedImageError

from runtime.errors import DataError
from runtime.progress import progress
from runtime.types import Picture
from train.data.source import Weighted, read_picture

_NAMED = 5
_SIDE_PX = 64  # a JPEG is decoded at about this side: every byte is read, few are turned into pixels


logger = logging.getLogger(__name__)


def leave_out_broken(sources: Sequence[Weighted], max_broken: float) -> list[Weighted]:
    """Return the sources without their broken pictures; raises DataError where more than ``max_broken`` (0..1) are."""
    files = sorted(set(chain.from_iterable(source.files for source in sources)))
    broken = broken_pictures(files)
    if not broken:
        return list(sources)
    named = ", ".join(f"{path} ({why})" for path, why in list(broken.items())[:_NAMED])
    more = f" and {len(broken) - _NAMED} more" if len(broken) > _NAMED else ""
    count = f"{len(broken)} of {len(files)} pictures cannot be read: {named}{more}"
    if not len(broken) <= max_broken * len(files):
        raise DataError(f"{count}; at most {max_broken:.1%} may be (train.run --max-broken): mend or remove them")
    logger.warning("%s; left out", count)
    return [source.without(broken) for source in sources]


def broken_pictures(files: Sequence[Path]) -> dict[Path, str]:
    """Return the files that cannot be read whole, each with the reason."""
    broken = {}
    with progress("pictures") as tick, ThreadPoolExecutor(os.cpu_count()) as pool:  # decoders leave Python's lock
        for done, (path, why) in enumerate(zip(files, pool.map(_why_broken, files), strict=True), 1):
            tick(done, len(files))
            if why:
                broken[path] = why
    return broken


def read_whole(path: Path) -> Picture:  # (H, W, 3) RGB
    """Read a picture of which no part is missing; raises DataError."""
    if why := _why_broken(path):
        raise DataError(f"{path} cannot be read: {why}; mend it, or fetch it again")
    return read_picture(path)


def _why_broken(path: Path) -> str | None:
    """Return why a picture cannot be read whole; None for one that can."""
    if not path.is_file():
        return "missing"
    if path.suffix.lower() in {".jpg", ".jpeg"}:
        return _why_broken_jpeg(path)
    return None if cv2.imread(str(path), cv2.IMREAD_REDUCED_GRAYSCALE_8) is not None else "no picture"


def _why_broken_jpeg(path: Path) -> str | None:
    """Ask Pillow whether a JPEG is whole: OpenCV paints the rest of a cut one grey and says nothing."""
    try:
        with Image.open(path) as picture:
            picture.draft("RGB", (_SIDE_PX, _SIDE_PX))
            picture.load()
    except Image.DecompressionBombError:  # large is not broken
        return None
    except UnidentifiedImageError:
        return "no picture"
    except (OSError, SyntaxError, ValueError) as error:
        return str(error)
    return None
