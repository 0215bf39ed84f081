"""Does this engine compute what was exported? One picture that every machine can draw, and its embedding.

A bundle's manifest states under ``golden``: ``picture`` (the formula's name), ``embedding_f16_base64`` (what the FP32
graph makes of it: D little-endian FP16 values) and ``min_cosine`` ({precision: how near an engine must come to that}).
Bundles of before have no ``golden``; they open, and their engines' names say that nothing was checked.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runtime.errors import BundleError, EngineError
from runtime.model.bundle import Bundle
from runtime.model.manifest import JsonObject, Precision
from runtime.types import Embed

PICTURE = "waves-1"
_LENGTH_ERROR = 1e-3  # every graph normalises in FP32
_MEND = "update what runs it, or export the bundle again: python -m export.onnx"
_MEND_INT8 = "INT8 is not right here; build the map for floats: python -m runtime.tiles build --precision fp32"


@dataclass(frozen=True, slots=True)
class _Golden:
    """The embedding of the golden picture, and how near to it an engine must come."""

    embedding: NDArray[np.float32]  # (D,) unit-norm, FP32's
    min_cosine: float


def golden_picture(side_px: int) -> NDArray[np.uint8]:  # (side_px, side_px, 3) RGB
    """Draw waves and blocks of several sizes in whole numbers alone, so that every machine draws the same bytes."""
    y, x = np.mgrid[:side_px, :side_px] * 256 // side_px
    channels = []
    for c, (a, b) in enumerate(((5, 2), (3, 4), (2, -5))):
        waves = (
            _wave(a * x + b * y, 211) // 3 + _wave(x * x // 64 - b * y, 97) // 4 + _wave(y * y // 32 + a * x, 41) // 5
        )
        blocks = ((x // 19 * 7 + y // 23 * 5 + c) % 5 - 2) * 18
        channels.append(120 + waves + blocks)
    return np.asarray(np.clip(np.stack(channels, axis=-1), 0, 255), np.uint8)


def _wave(t: NDArray[np.int_], half_period: int) -> NDArray[np.int_]:
    """Return a triangle wave between -128 and 128."""
    return np.abs(t % (2 * half_period) - half_period) * 256 // half_period - 128


def golden_entry(
    embedding: NDArray[np.float32],  # (D,) unit-norm, FP32's
    min_cosine: Mapping[Precision, float],
) -> JsonObject:
    """Return the manifest's section ``golden``."""
    return {
        "picture": PICTURE,
        "embedding_f16_base64": base64.b64encode(embedding.astype("<f2").tobytes()).decode(),
        "min_cosine": dict(min_cosine),
    }


def has_golden(bundle: Bundle, precision: Precision) -> bool:
    """Tell whether the bundle states what an engine of this precision must compute.

    Raises BundleError where that cannot be read.
    """
    return _golden(bundle, precision) is not None


def check_golden(embed: Embed, bundle: Bundle, precision: Precision, what: str) -> str:
    """Embed the golden picture, compare, and return the outcome in a few words; raises EngineError naming ``what``."""
    embedding = embed(golden_picture(bundle.side_px)[None])[0]
    length = float(np.linalg.norm(embedding))
    if not abs(length - 1) <= _LENGTH_ERROR:
        raise EngineError(f"{what} makes embeddings of length {length:.4f}, expected 1; {_MEND}")
    golden = _golden(bundle, precision)
    if golden is None:
        return "unchecked, as the bundle has no golden embedding"
    cosine = float(embedding @ golden.embedding)
    if not cosine >= golden.min_cosine:  # not <, so that NaN fails too
        raise EngineError(
            f"{what} computes another embedding than was exported: cosine {cosine:.4f} on the golden picture, "
            f"needs {golden.min_cosine:.4f}; {_MEND_INT8 if precision == 'int8' else _MEND}"
        )
    return f"self-check {cosine:.4f}"


def _golden(bundle: Bundle, precision: Precision) -> _Golden | None:
    """Read what the bundle states for a precision: only when an engine opens, so that one can be entered anew."""
    stated = bundle.manifest.document.get("golden")
    if stated is None:
        return None
    try:
        picture, min_cosine = stated["picture"], stated["min_cosine"].get(precision)
        values = np.frombuffer(base64.b64decode(stated["embedding_f16_base64"], validate=True), "<f2")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleError(f"{bundle.path}'s golden embedding cannot be read ({error}); export again") from None
    if picture != PICTURE or len(values) != bundle.dim:
        raise BundleError(
            f"{bundle.path}'s golden embedding is of picture {picture!r}, {len(values)} values; "
            f"this Skyfix knows {PICTURE!r} and the encoder makes {bundle.dim}: update it or export again"
        )
    embedding = values.astype(np.float32)
    return None if min_cosine is None else _Golden(embedding / np.linalg.norm(embedding), float(min_cosine))
