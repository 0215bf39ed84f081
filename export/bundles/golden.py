"""What a bundle's engines are checked against when they open (``runtime.model.golden``), entered into its manifest."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from export.graphs.parity import embed
from runtime.model.bundle import ENCODER_FILES, INT8_ON_CPU, Bundle, write_manifest
from runtime.model.golden import golden_entry, golden_picture
from runtime.model.manifest import JsonObject, Precision

_SLACK = 0.002  # for an exact graph: libraries sum in other orders, and a GPU's FP32 may be TF32
_FACTOR = 3  # kernels round where the graph as written does not; saturating ones lose a hundred times as much


def golden_of(folder: Path, precisions: Iterable[Precision], side_px: int) -> JsonObject:
    """Return the manifest's ``golden`` for graphs in the folder: FP32's embedding, and how near engines must come.

    A graph as it is written loses 1 - c of the cosine; an engine of it may lose three times that, and 0.002. Of INT8's
    twins the one that loses more counts.
    """
    picture = golden_picture(side_px)[None]
    exact = embed(folder / ENCODER_FILES["fp32"], picture)[0]  # (D,)
    min_cosine = {}
    for precision in precisions:
        twins = [folder / name for name in (INT8_ON_CPU,) if precision == "int8" and (folder / name).is_file()]
        graphs = [folder / ENCODER_FILES[precision], *twins]
        cosine = min(float(embed(graph, picture, optimise=False)[0] @ exact) for graph in graphs)
        min_cosine[precision] = round(1 - _FACTOR * max(0.0, 1 - cosine) - _SLACK, 5)
    return golden_entry(exact, min_cosine)


def enter_golden(path: Path) -> dict[Precision, float]:
    """Enter the golden embedding into a bundle's manifest; returns the least cosine by precision. Raises BundleError.

    An altered graph is refused: it must state nothing.
    """
    bundle = Bundle.open(path)
    for precision in ("fp32", *bundle.precisions):
        bundle.file(ENCODER_FILES[precision])
    golden = golden_of(path, bundle.precisions, bundle.side_px)
    write_manifest(path, bundle.manifest.with_sections(golden=golden))
    return dict(golden["min_cosine"])
