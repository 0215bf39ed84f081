"""What is believed and what is said."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Thresholds; the defaults were chosen on rendered flights (``docs/accuracy.md``)."""

    min_support: int = 10
    """Grid cells that must support a similarity before it is looked at more closely."""
    min_support_alone: int = 18
    """The same to be believed alone; a street that looks like the next one reaches 17."""
    min_agreement_alone: float | None = None
    """Share of the points that must agree with a lone pose, by chance 0.0625; None: what the features' bundle says."""
    min_agreement_tracked: float | None = None
    """The same where a tight track says so already."""
    max_rival: float = 0.6
    """Support of the best fit elsewhere over the best's; more is a repeated pattern."""
    min_mode_probability: float = 0.95
    """Of the likeliest place over the whole map, before retrieval's word is said."""
    max_unregistered_sigma_m: float = 25.0
    """Past this a position without a registration is not worth saying."""
