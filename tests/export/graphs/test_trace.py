from __future__ import annotations

from pathlib import Path

import pytest
import torch

from export.graphs.trace import fused, trace
from runtime.errors import ExportError
from tests.paths import ROOT


def test_branches_of_training_are_folded_into_one_convolution_and_the_network_is_left_as_it_is() -> None:
    from timm.models.fastvit import MobileOneBlock

    torch.manual_seed(0)
    network = torch.nn.Sequential(MobileOneBlock(4, 4, 3)).eval()
    x = torch.randn(2, 4, 8, 8)
    folded = fused(network)
    convolutions = [sum(isinstance(m, torch.nn.Conv2d) for m in n.modules()) for n in (network, folded)]
    assert convolutions[0] > 1 == convolutions[1]
    torch.testing.assert_close(folded(x), network(x), atol=1e-5, rtol=1e-4)
    plain = torch.nn.Sequential(torch.nn.Conv2d(3, 3, 1))
    assert fused(plain) is plain


def test_an_operator_that_onnx_has_not_is_named_in_a_line(tmp_path: Path) -> None:
    class Decomposed(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return torch.linalg.qr(image.float().mean(dim=3))[0]

    example = torch.zeros(2, 8, 8, 3, dtype=torch.uint8)
    with pytest.raises(ExportError, match=r"aten\.linalg_qr.*--backbone") as caught:
        trace(Decomposed(), example, tmp_path / "a.onnx", outputs=["embedding"], dynamic={})
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400
    assert not (tmp_path / "a.onnx").exists()


def test_no_path_of_this_machine_stays_in_a_graph(exported: Path) -> None:
    assert str(ROOT).encode() not in (exported / "encoder.onnx").read_bytes()
