"""A calibration set: the pictures that INT8 ranges are measured on, and a list that says which they were.

``calibration.json`` stays with the bundle; ``calibration.safetensors`` (``image``, uint8 (N, S, S, 3)) is large and is
needed only while ``export.trt --int8`` runs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calib.samples.sources import Sample
from runtime.errors import DataError
from runtime.files import whole_file, write_text_whole

FORMAT = 1
HELD_OUT = 4  # every fourth picture is not calibrated on, but kept for the gate
LIST, PICTURES = "calibration.json", "calibration.safetensors"


def write_set(bundle: Path, samples: Sequence[Sample], seed: int) -> str:
    """Write both files into a bundle's folder; the set's SHA-256 (of all pixels, in order)."""
    from safetensors.numpy import save_file

    pictures = np.stack([sample.picture for sample in samples])  # (N, S, S, 3)
    sha256 = _sha256(pictures)
    with whole_file(bundle / PICTURES) as partial:
        save_file({"image": pictures}, partial)
    listed = [{"source": sample.source, "sha256": _sha256(sample.picture)} for sample in samples]
    about = {"format": FORMAT, "sha256": sha256, "seed": seed, "shape": pictures.shape, "pictures": listed}
    write_text_whole(bundle / LIST, json.dumps(about, indent=1) + "\n")
    return sha256


def read_set(bundle: Path) -> tuple[NDArray[np.uint8], str]:
    """(N, S, S, 3) pictures and the set's SHA-256; raises DataError when they are not those that the list names."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    mend = f"make the set again: python -m calib.int8 --from FOLDER --bundle {bundle}"
    try:
        about = json.loads((bundle / LIST).read_text(encoding="utf-8"))
        pictures = load_file(bundle / PICTURES)["image"]
    except FileNotFoundError as error:
        raise DataError(f"{bundle} has no calibration set ({Path(error.filename).name} is missing); {mend}") from None
    except (ValueError, KeyError, SafetensorError) as error:
        raise DataError(f"{bundle}'s calibration set cannot be read ({error}); {mend}") from None
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise DataError(f"{bundle / LIST} is not of format {FORMAT}; {mend}")
    found = _sha256(pictures)
    if found != about["sha256"]:
        raise DataError(f"{bundle / PICTURES} was altered: SHA-256 {found[:12]}, listed {about['sha256'][:12]}; {mend}")
    return pictures, found


def _sha256(pixels: NDArray[np.uint8]) -> str:
    return hashlib.sha256(np.ascontiguousarray(pixels).data).hexdigest()
