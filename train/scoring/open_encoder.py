"""An encoder from a run's checkpoint or from an exported bundle, as one function of pictures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from runtime.errors import SettingsError
from runtime.files import sha256_of
from runtime.model.bundle import Bundle
from runtime.model.engine_onnx import OnnxEngine
from runtime.types import Embed
from train.model.checkpoint import load_encoder
from train.scoring.embed import embed_with, flipped_too, shortened


@dataclass(frozen=True, slots=True)
class EncoderCard:
    """The facts about an encoder that a report states."""

    path: Path
    sha256: str  # of the weights' file
    name: str  # for people
    side_px: int
    dim: int


@dataclass(frozen=True, slots=True)
class OpenedEncoder:
    """A function from pictures to embeddings, and what it was made of."""

    embed: Embed
    card: EncoderCard

    @property
    def side_px(self) -> int:
        """Return the side of the pictures that it reads."""
        return self.card.side_px

    @property
    def dim(self) -> int:
        """Return the length of an embedding."""
        return self.card.dim


def open_encoder(
    path: Path, precision: str | None = None, *, dim: int | None = None, flips: bool = False
) -> OpenedEncoder:
    """Open a ``.safetensors`` checkpoint or a ``.bundle`` folder; raises SkyfixError.

    ``dim`` keeps the first numbers of an embedding, ``flips`` sums it with that of the mirrored picture.
    """
    opened = _open_bundle(path, precision) if path.is_dir() else _open_checkpoint(path, precision)
    if flips:
        opened = replace(opened, embed=flipped_too(opened.embed))
    if dim is None:
        return opened
    if not 1 <= dim <= opened.dim:
        raise SettingsError(f"--dim {dim}: {path} gives {opened.dim} numbers; expected 1 to {opened.dim}")
    return OpenedEncoder(shortened(opened.embed, dim), replace(opened.card, dim=dim))


def _open_bundle(path: Path, precision: str | None) -> OpenedEncoder:
    """Open a graph of a bundle in ONNX Runtime; raises BundleError."""
    engine = OnnxEngine(Bundle.open(path), precision)
    card = EncoderCard(path, engine.encoder_sha256, engine.name, engine.side_px, engine.dim)
    return OpenedEncoder(engine.embed, card)


def _open_checkpoint(path: Path, precision: str | None) -> OpenedEncoder:
    """Open a checkpoint in PyTorch; raises SettingsError and TrainError."""
    if precision not in (None, "fp32"):
        raise SettingsError(f"--precision {precision} is of a bundle; {path} is scored in fp32")
    encoder, _ = load_encoder(path)
    encoder.to("cuda" if torch.cuda.is_available() else "cpu")
    name = f"{encoder.spec.backbone} fp32, PyTorch {torch.__version__}"
    card = EncoderCard(path, sha256_of(path), name, encoder.spec.side_px, encoder.spec.dim)
    return OpenedEncoder(embed_with(encoder), card)
