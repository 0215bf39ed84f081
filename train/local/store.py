"""Local features in a file: weights as safetensors, and what made them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from runtime.errors import TrainError
from runtime.files import whole_file
from train.local.network import LocalNetwork
from train.local.spec import LocalSpec
from train.model.bundle_weights import encoder_settings
from train.model.checkpoint import read_tensors
from train.model.cpu_convolutions import quicken
from train.model.encoder import Encoder, EncoderSpec

FORMAT = "1"


def build_network(init: str) -> LocalNetwork:
    """Build the network on the trunk of a bundle's encoder, its head at random; raises SkyfixError."""
    settings = {name.partition(".")[2]: value for name, value in encoder_settings(init).items()}
    encoder = Encoder(EncoderSpec(**settings, init=init)).eval()
    quicken(encoder)
    return LocalNetwork(encoder)


def save_local(path: Path, network: LocalNetwork, spec: LocalSpec, scores: Mapping[str, float]) -> None:
    """Write all weights, the trunk's too, whole or not at all."""
    about = {"format": FORMAT, "spec": json.dumps(asdict(spec)), "scores": json.dumps(dict(scores))}
    weights = {name: value.detach().contiguous() for name, value in network.state_dict().items()}
    with whole_file(path) as partial:
        save_file(weights, partial, about)


def load_local(path: Path, bundle: Path) -> tuple[LocalNetwork, dict[str, Any]]:
    """Read the network, on the trunk of the encoder in ``bundle``, and what made it; raises SkyfixError."""
    weights, about = read_tensors(path, "RUN/local.safetensors of python -m train.local --out RUN")
    if about.get("format") != FORMAT or "spec" not in about:
        raise TrainError(f"{path} holds no local features of format {FORMAT}; expected RUN/local.safetensors")
    network = build_network(str(bundle))
    trunk = {name: value.clone() for name, value in network.state_dict().items() if name.startswith("trunk.")}
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise TrainError(f"{path} does not fit the encoder in {bundle}: {str(error).splitlines()[0]}") from None
    if not all(torch.equal(weights[name], value) for name, value in trunk.items()):
        raise TrainError(f"{path} was trained on another encoder's trunk; train it on this: --init {bundle}")
    return network.eval(), {**json.loads(about["spec"]), "scores": json.loads(about["scores"])}
