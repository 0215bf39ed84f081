"""What an inference engine must do, whichever library is behind it."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Engine(Protocol):
    """An encoder ready to run. One engine builds a cache and flies with it."""

    @property
    def name(self) -> str:
        """For people: library, provider and precision."""
        ...

    @property
    def encoder_sha256(self) -> str:
        """SHA-256 of the graph that runs; a cache built with another one is refused."""
        ...

    @property
    def precision(self) -> str:
        """``fp32``, ``fp16`` or ``int8``."""
        ...

    @property
    def side_px(self) -> int:
        """Side of the pictures it reads."""
        ...

    @property
    def dim(self) -> int:
        """Length D of an embedding."""
        ...

    def embed(
        self,
        pictures: NDArray[np.uint8],  # (B, side_px, side_px, 3) RGB
    ) -> NDArray[np.float32]:  # (B, D) unit-norm
        """Embeddings of a batch; raises ValueError on another shape or type."""
        ...
