"""What a handful of seeds can tell: means, spreads and paired differences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

# Two-sided 95 % quantiles of Student's t for 1, 2, ... degrees of freedom (any table); the last serves all beyond.
_T95 = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228]
_T95 += [2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086]


class Spread(NamedTuple):
    """Of one arm over seeds."""

    mean: float
    sd: float  # of the sample; NaN for one seed
    n: int


class Paired(NamedTuple):
    """An arm less another on the same seeds."""

    mean: float
    standard_error: float  # of the mean; NaN for one seed
    low: float  # 95 % interval by Student's t, of this one comparison
    high: float
    wins: int  # seeds in which the arm is ahead
    losses: int
    n: int


def spread(values: Sequence[float]) -> Spread:
    """Mean and sample standard deviation; NaN where there are none."""
    n = len(values)
    sd = float(np.std(values, ddof=1)) if n > 1 else math.nan
    return Spread(float(np.mean(values)) if n else math.nan, sd, n)


def paired(values: Sequence[float], against: Sequence[float]) -> Paired:
    """The difference seed by seed: what a seed adds to both is gone from it."""
    difference = np.subtract(values, against)
    mean, sd, n = spread(list(difference))
    error = sd / math.sqrt(n) if n > 1 else math.nan
    reach = _T95[min(n - 2, len(_T95) - 1)] * error if n > 1 else math.nan
    wins, losses = int((difference > 0).sum()), int((difference < 0).sum())
    return Paired(mean, error, mean - reach, mean + reach, wins, losses, n)
