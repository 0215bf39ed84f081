"""How is it going? Verdicts counted, and bad ones remembered for a while."""

from __future__ import annotations

from collections import Counter

from runtime.fix import Fix, Verdict

_DECAY = 0.9  # a verdict: bad ones are forgotten after some ten good ones
_ILL_ABOVE = 0.8


class Health:
    """One bad frame is no failure; bad frames that last are."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._badness = 0.0

    def count(self, verdict: Verdict) -> None:
        """Take a verdict in."""
        good = isinstance(verdict, Fix) and verdict.source != "dead_reckoning"
        self.counts[verdict.source if isinstance(verdict, Fix) else verdict.reason] += 1
        self._badness = _DECAY * self._badness + (1.0 - _DECAY) * (not good)

    @property
    def well(self) -> bool:
        """False while most of the newest verdicts were bad."""
        return self._badness <= _ILL_ABOVE

    def __str__(self) -> str:
        return ", ".join(f"{name} {n}" for name, n in self.counts.most_common()) or "no frames"
