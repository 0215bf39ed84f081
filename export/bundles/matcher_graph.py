"""The graph of a network for local features: XFeat's, or one of our own training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from export.graphs.drawn_ground import land_like
from export.graphs.parity import check_close
from export.graphs.trace import trace
from runtime.model.engine_onnx import open_session

OUTPUTS = ("descriptor", "keypoint", "reliability")
STRIDE_PX = 32  # the coarsest level of the network; height and width are multiples of it
MAX_ERROR = 1e-3  # of probabilities and unit vectors, on a CPU in FP32
_CHECK_SIZES_PX = ((96, 160), (256, 224))  # neither is the traced one, so a size frozen into the graph shows


def trace_matcher(network: nn.Module, path: Path) -> None:
    """Write the graph of a network with a matcher's outputs, for pictures of any size in steps of ``STRIDE_PX``."""
    rows, columns = torch.export.Dim("rows", min=2), torch.export.Dim("columns", min=2)
    trace(
        network,
        torch.zeros(1, 4 * STRIDE_PX, 6 * STRIDE_PX, 3, dtype=torch.uint8),
        path,
        outputs=OUTPUTS,
        dynamic={1: STRIDE_PX * rows, 2: STRIDE_PX * columns},
    )


def check_graph(reference: Callable[[Tensor], tuple[Tensor, ...]], graph: Path) -> dict[str, float]:
    """Return the largest error of each output over pictures of several sizes; raises GateError."""
    session = open_session(graph, threads=2)
    errors = dict.fromkeys(OUTPUTS, 0.0)
    for height_px, width_px in _CHECK_SIZES_PX:
        picture = land_like(1, height_px, width_px)  # (1, H, W, 3)
        with torch.inference_mode():
            exact = [output.numpy() for output in reference(torch.from_numpy(picture))]
        for name, want, got in zip(OUTPUTS, exact, session.run(list(OUTPUTS), {"image": picture}), strict=True):
            error = check_close(want, got, what=f"matcher {name} at {height_px} x {width_px}", max_error=MAX_ERROR)
            errors[name] = max(errors[name], error)
    return errors
