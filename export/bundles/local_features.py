"""Local features trained by ``train.local`` go into an encoder's bundle, proved against PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import onnx

from export.bundles.card import data_names
from export.bundles.matcher_graph import MAX_ERROR, OUTPUTS, check_graph, trace_matcher
from export.graphs.precision import store_halved
from export.options import DEFAULT_PATCH_PX
from runtime.errors import TrainError
from runtime.files import sha256_of, whole_file
from runtime.model.bundle import MATCHER_FILE, Bundle, file_entry, write_manifest
from runtime.model.manifest import JsonObject
from train.local.network import MULTIPLE_PX, STRIDE_PX, Deployed, LocalNetwork
from train.local.store import load_local

_LEAST_PATCH_PX = 96
MIN_AGREEMENT = (0.175, 0.15)  # alone, tracked; rendered flights: wrong fits reach 0.16, 98% of the right ones pass


@dataclass(frozen=True, slots=True)
class LocalExport:
    """Local features that ``python -m export.local`` is asked to put into a bundle."""

    checkpoint: Path
    bundle: Path
    patch_px: int = DEFAULT_PATCH_PX

    def __post_init__(self) -> None:
        """Raise TrainError for a patch that shows too little."""
        if self.patch_px < _LEAST_PATCH_PX:
            raise TrainError(
                f"--patch-px {self.patch_px} shows too little; expected {_LEAST_PATCH_PX} or more, "
                f"as {DEFAULT_PATCH_PX}"
            )


def export_local_features(export: LocalExport) -> dict[str, float]:
    """Export a run's local features into the bundle of its encoder; returns the largest error by output.

    Raises BundleError, TrainError or GateError.
    """
    bundle = Bundle.open(export.bundle)
    network, about = load_local(export.checkpoint, export.bundle)
    kept = {name: about[name] for name in ("only_may_ship", "seed", "footprint", "side", "batch", "scores")}
    training = {"data": data_names(about["data"]), **kept, "checkpoint_sha256": sha256_of(export.checkpoint)}
    return export_local(network, bundle, training=training, patch_px=export.patch_px)


def export_local(network: LocalNetwork, bundle: Bundle, *, training: JsonObject, patch_px: int) -> dict[str, float]:
    """Write ``matcher.onnx`` into the bundle and name it in its manifest; returns the largest error by output.

    Raises GateError where the graph disagrees with PyTorch; then the bundle stays as it was.
    """
    deployed = Deployed(network.half().float()).eval()  # what is stored is what is proved
    with whole_file(bundle.path / MATCHER_FILE) as partial:
        trace_matcher(deployed, partial)
        onnx.save(store_halved(onnx.load(partial)), partial)
        errors = check_graph(deployed, partial)
    matcher = {
        "input": {"name": "image", "type": "uint8", "shape": [1, "H", "W", 3], "multiple_of_px": MULTIPLE_PX},
        "outputs": list(OUTPUTS),
        "stride_px": STRIDE_PX,
        "patch_px": patch_px,
        "min_agreement": list(MIN_AGREEMENT),
        "trunk": "the encoder's own, down to stride 16",
        "training": dict(training),
        "gates": {"max_error": errors, "required": MAX_ERROR},
    }
    document = bundle.manifest.with_files({MATCHER_FILE: file_entry(bundle.path / MATCHER_FILE, "fp32")})
    write_manifest(bundle.path, {**document, "matcher": matcher})
    return errors
