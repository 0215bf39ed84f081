"""A calibration set: the pictures that INT8 ranges are measured on, and a list that says which they were.

``calibration.json`` stays with the bundle; ``calibration.safetensors`` (``image``, uint8 (N, S, S, 3)) is large and is
needed only while ``export.trt --int8`` runs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from calib.samples.sources import Sample
from runtime.errors import DataError
from runtime.files import whole_file, write_text_whole

FORMAT = 1
HELD_OUT = 4  # every fourth picture is not calibrated on, but kept for the gate
LIST, PICTURES = "calibration.json", "calibration.safetensors"


@dataclass(frozen=True, slots=True)
class CalibrationSet:
    """The pictures of a calibration set, and the hash by which it is known."""

    pictures: NDArray[np.uint8]  # (N, S, S, 3)
    sha256: str  # of all pixels, in order


def write_set(bundle: Path, samples: Sequence[Sample], seed: int) -> str:
    """Write both files into a bundle's folder; returns the set's SHA-256."""
    pictures = np.stack([sample.picture for sample in samples])  # (N, S, S, 3)
    sha256 = _sha256(pictures)
    with whole_file(bundle / PICTURES) as partial:
        save_file({"image": pictures}, partial)
    listed = [{"source": sample.source, "sha256": _sha256(sample.picture)} for sample in samples]
    about = {"format": FORMAT, "sha256": sha256, "seed": seed, "shape": pictures.shape, "pictures": listed}
    write_text_whole(bundle / LIST, json.dumps(about, indent=1) + "\n")
    return sha256


def read_set(bundle: Path) -> CalibrationSet:
    """Read a bundle's set; raises DataError when its pictures are not those that the list names."""
    mend = f"make the set again: python -m calib.int8 --from FOLDER --bundle {bundle}"
    try:
        about = json.loads((bundle / LIST).read_text(encoding="utf-8"))
        pictures = load_file(bundle / PICTURES)["image"]
    except FileNotFoundError:  # safetensors' does not say which file
        missing = next((name for name in (LIST, PICTURES) if not (bundle / name).is_file()), PICTURES)
        raise DataError(f"{bundle} has no calibration set ({missing} is missing); {mend}") from None
    except (ValueError, KeyError, SafetensorError) as error:
        raise DataError(f"{bundle}'s calibration set cannot be read ({error}); {mend}") from None
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise DataError(f"{bundle / LIST} is not of format {FORMAT}; {mend}")
    sha256 = _sha256(pictures)
    if sha256 != about["sha256"]:
        raise DataError(
            f"{bundle / PICTURES} was altered: SHA-256 {sha256[:12]}, listed {about['sha256'][:12]}; {mend}"
        )
    return CalibrationSet(pictures, sha256)


def _sha256(pixels: NDArray[np.uint8]) -> str:
    return hashlib.sha256(np.ascontiguousarray(pixels).data).hexdigest()
