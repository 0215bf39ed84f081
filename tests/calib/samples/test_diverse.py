from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calib.samples.diverse import choose_diverse, statistics

SIDE_PX = 48


def ground_with_rare_kinds() -> NDArray[np.uint8]:  # (500, S, S, 3)
    """Fields, and five pictures in five hundred of other ground: snow, night, a tiled roof."""
    rng = np.random.default_rng(0)
    ground = np.clip(rng.normal((90, 110, 70), 12, (500, SIDE_PX, SIDE_PX, 3)), 0, 255).astype(np.uint8)
    ground[[17, 140]] = np.clip(rng.normal(245, 4, ground[:2].shape), 0, 255)
    ground[[230, 333]] = np.clip(rng.normal(8, 3, ground[:2].shape), 0, 255)
    ground[404, :, ::2], ground[404, :, 1::2] = (220, 60, 20), (20, 20, 20)
    return ground


def test_the_chosen_set_has_the_rare_kinds_of_ground_that_a_random_one_lacks_and_is_still_like_the_whole() -> None:
    features = np.stack([statistics(picture) for picture in ground_with_rare_kinds()])
    rare: tuple[set[int], ...] = ({17, 140}, {230, 333}, {404})
    for seed in range(5):
        rng = np.random.default_rng(seed)
        chosen = choose_diverse(features, 32, rng)
        assert len(set(chosen)) == 32 and all(kind & set(chosen) for kind in rare)
        assert not all(kind & {int(i) for i in rng.permutation(500)[:32]} for kind in rare)
        apart = np.abs(np.median(features[chosen], axis=0) - np.median(features, axis=0))
        assert (apart < features.std(axis=0)).all()
