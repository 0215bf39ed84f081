"""Pictures taken straight down, alone or sewn together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from train.data.manifest import Choice
from train.data.open import open_sources
from train.data.sources.overhead import sewn
from train.data.view_spec import ViewSpec


def test_pictures_sewn_together_blend_to_each_alone_and_to_their_mean_at_the_seam() -> None:
    greys = [np.full((64, 48, 3), level, np.uint8) for level in (0, 80, 160, 240)]
    quilt = sewn(greys)
    assert quilt.shape == (120, 90, 3)
    assert [int(quilt[y, x, 0]) for y in (0, -1) for x in (0, -1)] == [0, 80, 160, 240]
    assert abs(int(quilt[0, 44:46].mean()) - 40) <= 1
    assert np.array_equal(sewn([greys[2]] * 4), np.full((120, 90, 3), 160, np.uint8))


def test_a_quilt_is_of_the_same_source_and_seed(pictures: Path) -> None:
    view = replace(ViewSpec(), quilt=1.0, footprint_m=(60.0, 200.0))
    source = open_sources([f"overhead:{pictures}@0.6"], Choice("train"), view)[0]
    once, again, plain = (
        s.render(2, np.random.default_rng(4), 32)
        for s in (source, source, open_sources([f"overhead:{pictures}@0.6"], Choice("train"), ViewSpec())[0])
    )
    assert np.array_equal(once.tile, again.tile)
    assert not np.array_equal(once.tile, plain.tile)
