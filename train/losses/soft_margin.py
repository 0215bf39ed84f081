"""The weighted soft-margin triplet loss: a hinge without a corner and without a margin to choose."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from train.losses.distances import triplet_shares
from train.losses.triplet import triplet_gaps


def soft_margin(
    distances: Tensor,  # (B, B)
    sharpness: float = 10.0,
    same_place: Tensor | None = None,  # (B, B) bool
) -> Tensor:  # ()
    """Return the mean of ``log(1 + exp(a (d_p - d_n)))`` over all triplets of both directions.

    Hu et al., "CVM-Net", CVPR 2018, whose a = 10 multiplies squared distances; here it multiplies the run's distance.
    """
    return (F.softplus(sharpness * triplet_gaps(distances)) * triplet_shares(distances, same_place)).sum()
