from __future__ import annotations

import base64
import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest

from runtime.errors import BundleError, EngineError
from runtime.model.bundle import Bundle, write_manifest
from runtime.model.engine_onnx import OnnxEngine
from runtime.model.golden import check_golden, golden_entry, golden_picture, has_golden
from tests.runtime.model.mean_encoder import SIDE_PX, with_golden

GOLDEN_SHA256 = "4378fef55208a19a"


def test_the_golden_picture_is_the_same_bytes_everywhere_and_shows_something() -> None:
    assert hashlib.sha256(golden_picture(192).tobytes()).hexdigest().startswith(GOLDEN_SHA256)
    assert golden_picture(224).std(axis=(0, 1)).min() > 20


def test_an_engine_says_how_its_self_check_went_and_an_old_bundle_that_there_was_none(mean_bundle: Path) -> None:
    assert OnnxEngine(Bundle.open(mean_bundle), threads=1).name.endswith(
        "unchecked, as the bundle has no golden embedding"
    )
    assert OnnxEngine(with_golden(mean_bundle), threads=1).name.endswith(" CPU, self-check 1.0000")


@pytest.mark.parametrize(
    ("golden", "message"),
    [
        ({"embedding_f16_base64": ""}, r"picture 'waves-1', 0 values"),
        ({"embedding_f16_base64": "no base64!"}, "cannot be read"),
        ({"picture": "waves-2"}, "picture 'waves-2', 3 values; this Skyfix knows 'waves-1'"),
        ({"min_cosine": None}, "cannot be read"),
        ({"embedding_f16_base64": "ADwAAAAA"}, r"cosine 0\.\d+ on the golden picture, needs 0\.998"),
        ({"embedding_f16_base64": "AH4AfgB+"}, "cosine nan on the golden picture"),
    ],
)
def test_a_golden_embedding_that_cannot_be_met_or_read_is_told(
    mean_bundle: Path, golden: dict[str, object], message: str
) -> None:
    with pytest.raises(BundleError, match=message):
        OnnxEngine(with_golden(mean_bundle, **golden), threads=1)


UNIT = np.array([0, 1, 0], np.float32)  # exact in halves


def stated(folder: Path, embedding: np.ndarray, min_cosine: dict[str, float]) -> Bundle:
    """The bundle with this golden embedding."""
    golden = golden_entry(np.asarray(embedding, np.float32), min_cosine)
    write_manifest(folder, Bundle.open(folder).manifest.with_sections(golden=golden))
    return Bundle.open(folder)


def test_the_entry_holds_little_endian_halves_that_any_program_can_unpack(mean_bundle: Path) -> None:
    entry = stated(mean_bundle, np.array([0.6, 0, 0.8]), {"fp32": 0.998}).manifest.document["golden"]
    halves = struct.unpack("<3e", base64.b64decode(entry["embedding_f16_base64"]))
    assert halves == pytest.approx((0.6, 0, 0.8), abs=2**-12)
    assert entry["picture"] == "waves-1"


@pytest.mark.parametrize(("cosine", "needed", "passes"), [(0.96, 0.95, True), (0.96, 0.97, False), (-0.6, 0.9, False)])
def test_an_embedding_passes_where_its_cosine_reaches_what_is_stated(
    mean_bundle: Path, cosine: float, needed: float, passes: bool
) -> None:
    bundle = stated(mean_bundle, UNIT, {"fp32": needed})
    across = np.array([0.6, 0, -0.8], np.float32)
    embedding = cosine * UNIT + np.sqrt(1 - cosine**2) * across
    if passes:
        assert check_golden(lambda _: embedding[None], bundle, "fp32", "engine") == f"self-check {cosine:.4f}"
    else:
        message = f"^engine computes another .* cosine {cosine:.4f} .*, needs {needed:.4f}"
        with pytest.raises(EngineError, match=message):
            check_golden(lambda _: embedding[None], bundle, "fp32", "engine")


@pytest.mark.parametrize("length", [0.99, 1.01, np.nan])
def test_an_embedding_that_has_not_length_1_is_refused_even_where_nothing_is_stated(
    mean_bundle: Path, length: float
) -> None:
    with pytest.raises(EngineError, match="makes embeddings of length"):
        check_golden(lambda _: length * UNIT[None], Bundle.open(mean_bundle), "fp32", "engine")


def test_a_precision_of_which_nothing_is_stated_goes_unchecked(mean_bundle: Path) -> None:
    bundle = stated(mean_bundle, UNIT, {"fp32": 0.998})
    assert has_golden(bundle, "fp32") and not has_golden(bundle, "int8")
    assert check_golden(lambda _: -UNIT[None], bundle, "int8", "engine").startswith("unchecked")


def test_the_golden_picture_is_shown_at_the_encoders_side(mean_bundle: Path) -> None:
    shown: list[np.ndarray] = []

    def embed(pictures: np.ndarray) -> np.ndarray:
        shown.append(pictures)
        return UNIT[None]

    check_golden(embed, Bundle.open(mean_bundle), "fp32", "engine")
    assert (shown[0][0] == golden_picture(SIDE_PX)).all() and shown[0].shape == (1, SIDE_PX, SIDE_PX, 3)
