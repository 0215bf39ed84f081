"""The files of a run: an encoder as safetensors with all that made it, and the trainer's state beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from runtime.errors import TrainError
from runtime.files import whole_file
from train.model.encoder import Encoder, EncoderSpec

FORMAT = "1"
BEST, LAST, STATE = "best.safetensors", "last.safetensors", "state.pt"


def save_encoder(path: Path, encoder: Encoder, train_spec: Mapping[str, Any], summary: Mapping[str, Any]) -> None:
    """Write weights and metadata, whole or not at all; raises TrainError where there is no room.

    ``train_spec`` and ``summary`` are plain values, for people and for the card of an export.
    """
    metadata = {
        "format": FORMAT,
        "encoder_spec": json.dumps(asdict(encoder.spec)),
        "train_spec": json.dumps(train_spec),
        "summary": json.dumps(summary),
    }
    weights = {name: value.detach().cpu().contiguous() for name, value in encoder.state_dict().items()}
    with _whole_checkpoint(path) as partial:
        save_file(weights, partial, metadata)


def load_encoder(
    path: Path, dim: int | None = None, *, amp_dtype: torch.dtype | None = None
) -> tuple[Encoder, dict[str, Any]]:
    """Load the encoder in eval mode, and its metadata with the JSON parsed; raises TrainError.

    A shorter ``dim`` keeps the first numbers of an embedding (Matryoshka): good where the run had ``--matryoshka DIM``.
    """
    weights, metadata = read_tensors(path, f"RUN/{BEST} of python -m train.run --out RUN")
    if "format" not in metadata:
        raise TrainError(
            f"{path} holds weights but says nothing of an encoder; expected RUN/{BEST} of python -m train.run, "
            f"which can start from these: --init {path}"
        )
    if metadata["format"] != FORMAT:
        raise TrainError(f"{path} has checkpoint format {metadata['format']}; this Skyfix reads {FORMAT}")
    try:
        parsed = {name: json.loads(metadata[name]) for name in ("encoder_spec", "train_spec", "summary")}
        spec = EncoderSpec(**parsed["encoder_spec"])
        if dim is not None:
            spec, weights = _shortened(path, spec, weights, dim)
        encoder = Encoder(spec, amp_dtype=amp_dtype, weights=weights)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise TrainError(f"{path} does not hold an encoder of format {FORMAT}: {error}") from error
    return encoder.eval(), {"format": FORMAT, **parsed}


def read_tensors(path: Path, expected: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read weights by name, and the metadata beside them; raises TrainError, which says what was ``expected``."""
    try:
        with safe_open(path, framework="pt") as file:
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (no mapping)
            return weights, file.metadata() or {}
    except FileNotFoundError:
        raise TrainError(f"{path} is missing; expected {expected}") from None
    except (SafetensorError, OSError) as error:
        raise TrainError(f"{path} is no safetensors checkpoint ({error}); expected {expected}") from None


def _shortened(
    path: Path, spec: EncoderSpec, weights: dict[str, Tensor], dim: int
) -> tuple[EncoderSpec, dict[str, Tensor]]:
    """Cut the head to the first ``dim`` numbers of an embedding; raises TrainError."""
    if not 1 <= dim <= spec.dim:
        raise TrainError(f"{path} has embeddings of length {spec.dim}; --dim takes 1 to {spec.dim}, not {dim}")
    return replace(spec, dim=dim), {**weights, **{name: weights[name][:dim] for name in ("head.weight", "head.bias")}}


def read_summary(path: Path) -> dict[str, Any]:
    """Read the summary in a checkpoint, empty where there is no checkpoint; raises TrainError."""
    if not path.is_file():
        return {}
    try:
        with safe_open(path, framework="pt") as file:
            summary: dict[str, Any] = json.loads((file.metadata() or {})["summary"])
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise TrainError(f"{path} is no checkpoint of a run ({error}); move it away, then resume again") from error
    return summary


@contextmanager
def _whole_checkpoint(path: Path) -> Iterator[Path]:
    """Yield a path to write to; a full disk leaves the file that was there, and says so. Raises TrainError."""
    try:
        with whole_file(path) as partial:
            yield partial
    except (OSError, RuntimeError, SafetensorError) as error:  # torch and safetensors wrap the system's
        stands = "; the one saved before stands" if path.exists() else ""
        raise TrainError(
            f"{path} cannot be written ({error}){stands}: make room, then python -m train.run --resume {path.parent}"
        ) from error


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write what a resumed run needs, tensors and plain values only; raises TrainError."""
    with _whole_checkpoint(path) as partial:
        torch.save(state, partial)


def load_state(path: Path) -> dict[str, Any]:
    """Read :func:`save_state`'s file without running code from it; raises TrainError."""
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise TrainError(f"{path} is missing; --resume wants the --out folder of an earlier run") from None
    except Exception as error:  # torch's zip and unpickling errors have no common base
        raise TrainError(f"{path} cannot be read ({error}); start the run anew") from error
    return state
