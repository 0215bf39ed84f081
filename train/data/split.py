"""The parts into which places are divided; imports nothing heavy, so that ``--help`` can name them."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

TrainSplit: TypeAlias = Literal["train", "val"]
"""What any data for training has: places to learn from, and places to choose a model by."""

Split: TypeAlias = Literal["train", "val", "test"]
"""With the places that a list or a benchmark keeps to be scored on."""

TRAIN_SPLITS: tuple[TrainSplit, ...] = get_args(TrainSplit)
