"""An encoder from a run's checkpoint or from an exported bundle, as the same function of pictures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from runtime.errors import SettingsError
from runtime.files import sha256_of
from runtime.model.bundle import Bundle
from runtime.model.engine_onnx import OnnxEngine
from runtime.types import Embed
from train.model.checkpoint import load_encoder
from train.scoring.embed import embed_with, flipped_too, shortened


@dataclass(frozen=True)
class Opened:
    """What embeds, and what it is."""

    embed: Embed
    path: Path
    sha256: str  # of the weights' file
    name: str  # for people
    side_px: int
    dim: int

    def about(self) -> dict[str, Any]:
        """For a report."""
        return {
            "path": str(self.path),
            "sha256": self.sha256,
            "name": self.name,
            "side_px": self.side_px,
            "dim": self.dim,
        }


def open_encoder(path: Path, precision: str | None = None, *, dim: int | None = None, flips: bool = False) -> Opened:
    """A ``.safetensors`` checkpoint or a ``.bundle`` folder; raises SkyfixError.

    ``dim`` keeps the first numbers of an embedding, ``flips`` sums it with that of the mirrored picture.
    """
    opened = _open_bundle(path, precision) if path.is_dir() else _open_checkpoint(path, precision)
    if flips:
        opened = replace(opened, embed=flipped_too(opened.embed))
    if dim is None:
        return opened
    if not 1 <= dim <= opened.dim:
        raise SettingsError(f"--dim {dim}: {path} gives {opened.dim} numbers; expected 1 to {opened.dim}")
    return replace(opened, embed=shortened(opened.embed, dim), dim=dim)


def _open_bundle(path: Path, precision: str | None) -> Opened:
    engine = OnnxEngine(Bundle.open(path), precision)
    return Opened(engine.embed, path, engine.encoder_sha256, engine.name, engine.side_px, engine.dim)


def _open_checkpoint(path: Path, precision: str | None) -> Opened:
    if precision not in (None, "fp32"):
        raise SettingsError(f"--precision {precision} is of a bundle; {path} is scored in fp32")
    encoder, _ = load_encoder(path)
    encoder.to("cuda" if torch.cuda.is_available() else "cpu")
    name = f"{encoder.spec.backbone} fp32, PyTorch {torch.__version__}"
    return Opened(embed_with(encoder), path, sha256_of(path), name, encoder.spec.side_px, encoder.spec.dim)
