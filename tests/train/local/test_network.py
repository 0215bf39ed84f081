"""The network stands on a trunk that does not learn, and gives maps of any picture."""

from __future__ import annotations

from pathlib import Path

import torch

from train.local.network import DIM, MULTIPLE_PX, PIXELS, STRIDE_PX, Deployed
from train.local.store import build_network


def test_a_picture_of_any_size_gives_unit_descriptors_and_probabilities(default_bundle: Path) -> None:
    network = Deployed(build_network(str(default_bundle))).eval()
    height, width = 2 * MULTIPLE_PX, 3 * MULTIPLE_PX
    picture = torch.randint(0, 256, (1, height, width, 3), dtype=torch.uint8)
    with torch.inference_mode():
        descriptor, keypoint, reliability = network(picture)
    cells = (height // STRIDE_PX, width // STRIDE_PX)
    assert descriptor.shape == (1, DIM, *cells)
    assert reliability.shape == (1, *cells)
    assert keypoint.shape == (1, height, width)
    assert torch.allclose(descriptor.norm(dim=1), torch.ones(1, *cells), atol=1e-4)
    in_cell = torch.nn.functional.avg_pool2d(keypoint[None], STRIDE_PX) * PIXELS
    assert 0 < float(in_cell.min()) <= float(in_cell.max()) <= 1 + 1e-4


def test_the_trunk_is_the_encoders_own_and_does_not_learn(default_bundle: Path) -> None:
    network = build_network(str(default_bundle)).train()
    assert not any(p.requires_grad for p in network.trunk.parameters())
    assert sum(p.numel() for p in network.parameters() if p.requires_grad) < 60_000


def test_training_moves_the_head_and_leaves_the_trunk_as_it_flies(default_bundle: Path) -> None:
    network = build_network(str(default_bundle)).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    optimiser = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.1)
    picture = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    descriptor, keypoint, reliability = network(picture)
    (keypoint.square().mean() + reliability.square().mean() + descriptor[:, 0].mean()).backward()
    optimiser.step()
    moved = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert moved
    assert not any(name.startswith("trunk.") for name in moved), "not even its running means"
    assert {name.split(".")[0] for name in moved} >= {"descriptor", "keypoint", "reliability", "lateral", "fine"}


def test_maps_of_a_batch_are_those_of_its_pictures(default_bundle: Path) -> None:
    network = build_network(str(default_bundle)).eval()
    pictures = torch.randint(0, 256, (2, 64, 96, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        both, alone = network(pictures), network(pictures[1:])
    for whole, part in zip(both, alone, strict=True):
        assert torch.allclose(whole[1:], part, atol=1e-4)


def test_a_moved_picture_has_moved_maps(default_bundle: Path) -> None:
    """By 16 pixels, which the strides of all maps divide."""
    network = build_network(str(default_bundle)).eval()
    wide = torch.randint(0, 256, (1, 128, 160, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        left, right = network(wide[:, :, :128]).descriptor, network(wide[:, :, 16:144]).descriptor
    inner = slice(12, 20)
    similar = (left[0, :, inner, 16:24] * right[0, :, inner, 12:20]).sum(dim=0)
    assert float(similar.min()) > 0.9
