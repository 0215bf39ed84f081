"""The teacher of a run: a larger encoder whose similarities a smaller one learns."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from train.model.checkpoint import load_encoder


class Teacher:
    """A frozen encoder that reads the student's own pictures, at the side that it was trained for."""

    def __init__(self, path: Path, *, device: torch.device, amp_dtype: torch.dtype | None, weight: float) -> None:
        """Load a checkpoint, whose similarities count ``weight`` times; raises TrainError where ``path`` is none."""
        encoder, _ = load_encoder(path, amp_dtype=amp_dtype)
        self.weight = weight
        self._encoder = encoder.to(device).requires_grad_(False)

    @torch.no_grad()
    def embed(
        self,
        images: Tensor,  # (N, S, S, 3) uint8
        chunk: int,  # pictures in one pass; 0: all
    ) -> Tensor:  # (N, D') unit-norm
        """Return the teacher's embeddings of the pictures."""
        return torch.cat([self._encoder(self._resized(part)) for part in torch.split(images, chunk or len(images))])

    def _resized(self, images: Tensor) -> Tensor:  # (N, S, S, 3) -> (N, S', S', 3) uint8
        """Return the pictures at the teacher's own side."""
        side_px = self._encoder.spec.side_px
        if images.shape[1] == side_px:
            return images
        maps = images.permute(0, 3, 1, 2).float()
        resized = F.interpolate(maps, (side_px, side_px), mode="bilinear", antialias=True)
        return resized.round().clamp(0, 255).byte().permute(0, 2, 3, 1)
