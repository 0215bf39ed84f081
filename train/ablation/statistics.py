"""Statistics that a handful of seeds can carry: means, spreads and paired differences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

# Two-sided 95 % quantiles of Student's t for 1, 2, ... degrees of freedom (any table); the last serves all beyond.
_T95 = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228]
_T95 += [2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086]


class Spread(NamedTuple):
    """The mean and deviation of one arm over seeds."""

    mean: float
    sd: float  # of the sample; NaN for one seed
    n: int


class PairedDifference(NamedTuple):
    """An arm less another on the same seeds."""

    mean: float
    standard_error: float  # of the mean; NaN for one seed
    low: float  # 95 % interval by Student's t, of this one comparison
    high: float
    wins: int  # seeds in which the arm is ahead
    losses: int
    n: int

    def scaled(self, by: float) -> PairedDifference:
        """Return the difference in other units, as percentage points; counts stay."""
        low, high = self.low * by, self.high * by
        return self._replace(mean=self.mean * by, standard_error=self.standard_error * by, low=low, high=high)


def spread(values: Sequence[float]) -> Spread:
    """Return mean and sample standard deviation; NaN where there are none."""
    n = len(values)
    sd = float(np.std(values, ddof=1)) if n > 1 else math.nan
    return Spread(float(np.mean(values)) if n else math.nan, sd, n)


def paired_difference(values: Sequence[float], against: Sequence[float]) -> PairedDifference:
    """Return the difference seed by seed: what a seed adds to both is gone from it."""
    difference = np.subtract(values, against)
    mean, sd, n = spread(list(difference))
    error = sd / math.sqrt(n) if n > 1 else math.nan
    reach = _T95[min(n - 2, len(_T95) - 1)] * error if n > 1 else math.nan
    wins, losses = int((difference > 0).sum()), int((difference < 0).sum())
    return PairedDifference(mean, error, mean - reach, mean + reach, wins, losses, n)
