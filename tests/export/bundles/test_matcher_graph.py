"""The graph of a network for local features, on a network that is three convolutions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from export.bundles.matcher_graph import MAX_ERROR, OUTPUTS, check_graph, trace_matcher
from export.graphs.drawn_ground import land_like
from runtime.errors import GateError
from runtime.model.engine_onnx import open_session


class SmallMatcher(nn.Module):
    """Descriptors, keypoints and reliability at strides 8, 1 and 8."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.cells = nn.Conv2d(3, 4, 8, stride=8)
        self.pixels = nn.Conv2d(3, 1, 3, padding=1)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        colour = image.float().permute(0, 3, 1, 2) / 255
        cells = self.cells(colour)
        return cells, self.pixels(colour).squeeze(1), cells.sigmoid().mean(dim=1)


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("matcher") / "matcher.onnx"
    trace_matcher(SmallMatcher().eval(), path)
    return path


@pytest.mark.parametrize(("height", "width"), [(64, 64), (160, 96)])
def test_the_graph_takes_any_size_in_steps_of_32_and_names_its_outputs(traced: Path, height: int, width: int) -> None:
    picture = land_like(1, height, width)
    with torch.inference_mode():
        exact = SmallMatcher()(torch.from_numpy(picture))
    got = open_session(traced, threads=1).run(list(OUTPUTS), {"image": picture})
    for want, have in zip(exact, got, strict=True):
        np.testing.assert_allclose(have, want.numpy(), atol=1e-5)


def test_a_faithful_graph_is_within_the_limit_on_every_output(traced: Path) -> None:
    errors = check_graph(SmallMatcher().eval(), traced)
    assert errors.keys() == set(OUTPUTS) and max(errors.values()) < MAX_ERROR


def test_a_graph_that_disagrees_is_refused_by_the_output_and_the_size(traced: Path, tmp_path: Path) -> None:
    model = onnx.load(traced)
    bias = next(w for w in model.graph.initializer if w.name == "pixels.bias")
    values = onnx.numpy_helper.to_array(bias) + np.float32(2 * MAX_ERROR)
    bias.CopyFrom(onnx.numpy_helper.from_array(values, bias.name))
    onnx.save(model, tmp_path / "off.onnx")
    with pytest.raises(GateError, match=r"matcher keypoint at 96 x 160: differs by up to 2\.00e-03, allowed 1e-03"):
        check_graph(SmallMatcher().eval(), tmp_path / "off.onnx")
