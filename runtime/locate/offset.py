"""What may be wrong with a told attitude, altitude and lens, as one vector.

Seven numbers: the logarithm of the height; a rotation vector in camera axes, radians; the logarithm of the focal
length; and a bend about the picture's x and y axes, radians. A bend is what sloping ground, buildings, a map's seams
and a lens that is no pinhole do to matches: they look as if the camera was tilted, and are not moved by it. It is
told as the slope of the ground that does so under the told lens and height: downhill to where the picture's top looks,
and to its right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from runtime.types import FloatArray

SIZE = 7
HEIGHT, TURN, FOCAL, BEND = 0, slice(1, 4), 4, slice(5, 7)


@dataclass(frozen=True, slots=True)
class OffsetPrior:
    """A Gaussian of what is wrong with what is told."""

    mean: FloatArray  # (7,)
    cov: FloatArray  # (7, 7)

    @classmethod
    def about_told(cls, cov: FloatArray) -> OffsetPrior:
        """Return the prior about what is told itself."""
        return cls(np.zeros(SIZE), cov)
