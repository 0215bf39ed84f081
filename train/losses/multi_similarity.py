"""The multi-similarity loss: every pair is weighted by its own similarity and by that of its neighbours."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from train.losses.distances import both_directions, negatives


def multi_similarity(
    cosines: Tensor,  # (B, B) from cross_cosines
    *,
    alpha: float = 2.0,
    beta: float = 50.0,
    base: float = 0.5,
    same_place: Tensor | None = None,  # (B, B) bool
) -> Tensor:  # ()
    """Return the mean over queries of the pull of the positive and the push of all negatives.

    It is ``log(1 + exp(-alpha (s_p - base))) / alpha + log(1 + sum_n exp(beta (s_n - base))) / beta``.
    Wang et al., "Multi-Similarity Loss", CVPR 2019, without its mining of pairs; a query has one positive.
    """
    mask = both_directions(negatives(cosines, same_place))
    apart = (beta * (both_directions(cosines) - base)).masked_fill(~mask, float("-inf")).logsumexp(dim=2)  # (2, B)
    together = -alpha * (cosines.diagonal() - base)
    return (F.softplus(together) / alpha).mean() + (F.softplus(apart) / beta).mean()
