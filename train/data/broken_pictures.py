"""Every picture is looked at once, at the start: what cannot be read is named and left out, or ends the run."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import cv2
from PIL import Image, UnidentifiedImageError

from runtime.errors import DataError
from runtime.progress import progress
from runtime.types import Picture, Say
from train.data.source import Weighted, read_picture

_NAMED = 5
_SIDE_PX = 64  # a JPEG is decoded at about this side: every byte is read, few are turned into pixels


def say(line: str) -> None:
    """A line on stderr."""
    print(line, file=sys.stderr, flush=True)


def sound_sources(sources: Sequence[Weighted], max_broken: float, tell: Say) -> list[Weighted]:
    """The sources without their broken pictures; raises DataError where more than ``max_broken`` (0..1) are."""
    files = sorted(set(chain.from_iterable(source.files for source in sources)))
    broken = broken_pictures(files)
    if not broken:
        return list(sources)
    named = ", ".join(f"{path} ({why})" for path, why in list(broken.items())[:_NAMED])
    more = f" and {len(broken) - _NAMED} more" if len(broken) > _NAMED else ""
    found = f"{len(broken)} of {len(files)} pictures cannot be read: {named}{more}"
    if not len(broken) <= max_broken * len(files):
        raise DataError(f"{found}; at most {max_broken:.1%} may be (train.run --max-broken): mend or remove them")
    tell(f"{found}; left out")
    return [source.without(broken) for source in sources]


def broken_pictures(files: Sequence[Path]) -> dict[Path, str]:
    """Those that cannot be read whole, and why."""
    found = {}
    with progress("pictures") as tick, ThreadPoolExecutor(os.cpu_count()) as pool:  # decoders leave Python's lock
        for done, (path, why) in enumerate(zip(files, pool.map(_why_broken, files), strict=True), 1):
            tick(done, len(files))
            if why:
                found[path] = why
    return found


def read_sound(path: Path) -> Picture:  # (H, W, 3) RGB
    """A picture of which no part is missing; raises DataError."""
    if why := _why_broken(path):
        raise DataError(f"{path} cannot be read: {why}; mend it, or fetch it again")
    return read_picture(path)


def _why_broken(path: Path) -> str | None:
    """None for a picture that is whole."""
    if not path.is_file():
        return "missing"
    if path.suffix.lower() in {".jpg", ".jpeg"}:
        return _why_broken_jpeg(path)
    return None if cv2.imread(str(path), cv2.IMREAD_REDUCED_GRAYSCALE_8) is not None else "no picture"


def _why_broken_jpeg(path: Path) -> str | None:
    """OpenCV paints the rest of a cut JPEG grey and says nothing; Pillow tells."""
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
