"""What an inference engine must do, whichever library is behind it."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from runtime.model.manifest import Precision


class Engine(Protocol):
    """An encoder ready to run; several threads may use it at once.

    One graph in one precision builds a cache and flies with it, on whichever library. Two engines are equal for a cache
    when ``encoder_sha256`` (of the ONNX graph, also where TensorRT runs what it made of it) and ``precision`` are: so a
    cache built on a desktop flies on a device. How far libraries and kernels may lie apart is bounded when an engine
    opens (``runtime.model.golden``).
    """

    @property
    def name(self) -> str:
        """The engine's name for people: bundle and precision, library and provider, and how its self-check went."""
        ...

    @property
    def encoder_sha256(self) -> str:
        """SHA-256 of the graph that runs; a cache built with another one is refused."""
        ...

    @property
    def precision(self) -> Precision:
        """One of ``fp32``, ``fp16`` and ``int8``."""
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
        """Return the embeddings of a batch; raises ValueError on another shape or type."""
        ...


def check_pictures(pictures: NDArray[np.uint8], side_px: int) -> None:
    """Raise ValueError for anything but a batch of RGB bytes of the encoder's side."""
    expected = (side_px, side_px, 3)
    if pictures.dtype != np.uint8 or pictures.shape[1:] != expected:
        raise ValueError(f"pictures are {pictures.dtype} {pictures.shape}; expected uint8 (B, {expected})")
