"""The words that settings take: told without a heavy import, and each of them means something."""

from __future__ import annotations

import subprocess
import sys
from typing import get_args

import pytest
import torch

from tests.paths import ROOT
from train import choices
from train.choices import DISTANCES, HOSTS, POOLINGS, PRESET_NAMES, Distance, Host, Pooling
from train.losses.distances import as_distances
from train.losses.objective import Objective
from train.model.encoder import Encoder, EncoderSpec
from train.spec import PRESETS

HEAVY = ("torch", "numpy", "cv2", "timm", "onnx", "onnxruntime", "matplotlib", "rich", "safetensors")


@pytest.mark.parametrize("module", ["train.choices", "train.options", "train.run", "train.evaluate"])
def test_flags_and_choices_are_known_without_a_heavy_import(module: str) -> None:
    code = f"import sys; sys.modules.update(dict.fromkeys({HEAVY}, None)); import {module}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr


def test_every_tuple_of_choices_has_a_type_of_the_same_words() -> None:
    types = {get_args(value) for name, value in vars(choices).items() if get_args(value) and name[0].isupper()}
    tuples = {value for name, value in vars(choices).items() if name.isupper()}
    assert tuples == {words for words in types if all(isinstance(word, str) for word in words)}
    assert all(len(set(words)) == len(words) for words in tuples)


def test_the_presets_are_those_that_help_names() -> None:
    assert tuple(PRESETS) == PRESET_NAMES


@pytest.mark.parametrize("host", HOSTS)
def test_every_host_is_a_loss_of_its_own(host: Host) -> None:
    rows = torch.eye(4)
    losses = {name: Objective(name, None)(rows, rows.roll(1, 0)).host for name in HOSTS}
    assert [name for name in HOSTS if losses[name] == losses[host]] == [host]


def test_every_distance_and_pooling_computes() -> None:
    distances: list[Distance] = list(DISTANCES)
    assert len({float(as_distances(torch.full((1, 1), 0.3), kind)) for kind in distances}) == len(DISTANCES)
    torch.manual_seed(0)
    features = {}
    pooling: Pooling
    for pooling in POOLINGS:
        spec = EncoderSpec(dim=8, side_px=32, init="random", backbone="test_convnext", pooling=pooling)
        torch.manual_seed(0)
        features[pooling] = Encoder(spec).eval()(torch.arange(3072).view(1, 32, 32, 3).byte())
    assert not torch.equal(features["gem"], features["avg"])
    assert not torch.equal(features["native"], features["avg"])
