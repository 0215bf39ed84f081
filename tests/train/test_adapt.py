"""Adapting the encoder that ships to one map must not make it forget other places."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from runtime.types import Embed
from tests.train.conftest import draw_place
from train.data.view_pair import render_views
from train.data.view_spec import ViewSpec
from train.run import main as train
from train.scoring.open_encoder import open_encoder

MAY_LOSE = 0.02  # of cosine between the views of a place, and of R@1


def elsewhere(embed: Embed, side_px: int) -> tuple[float, float]:
    """R@1 and mean cosine of the two views of drawn places that no run has seen."""
    views = [
        render_views(draw_place(k, 256), 0.3, np.random.default_rng(k), side_px=side_px, spec=ViewSpec(tilt_deg=20.0))
        for k in range(500, 540)
    ]
    drone, tile = (embed(np.stack([getattr(v, name) for v in views])) for name in ("drone", "tile"))
    cosine = drone @ tile.T
    return float((cosine.argmax(axis=1) == np.arange(len(views))).mean()), float(cosine.diagonal().mean())


@pytest.fixture(scope="module")
def adapted(small_world: Path, default_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("adapt") / "run"
    data = ["--data", f"overhead:{small_world / 'map.tif'}", "--footprint", "30", "60"]
    few = ["--steps", "6", "--batch", "6", "--eval-every", "6", "--workers", "0", "--device", "cpu"]
    assert train([*data, "--init", "default", *few, "--out", str(out)]) == 0
    return out


def test_other_places_are_found_as_well_as_before(adapted: Path, default_bundle: Path) -> None:
    before, after = open_encoder(default_bundle), open_encoder(adapted / "last.safetensors")
    found, cosine = elsewhere(before.embed, before.side_px)
    found_after, cosine_after = elsewhere(after.embed, after.side_px)
    assert found > 0.9  # or there would be nothing to lose
    assert found_after >= found - MAY_LOSE
    assert cosine_after >= cosine - MAY_LOSE


def test_the_adapted_encoder_is_another_one_of_the_same_shape(adapted: Path, default_bundle: Path) -> None:
    before, after = open_encoder(default_bundle), open_encoder(adapted / "last.safetensors")
    assert (after.side_px, after.dim) == (before.side_px, before.dim)
    picture = draw_place(1, before.side_px)[None]
    assert float((before.embed(picture) * after.embed(picture)).sum()) < 0.9999
