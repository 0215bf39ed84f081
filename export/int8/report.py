"""What a reduced graph was measured to do: a table for people and for programs, and two pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from export.graphs.parity import Embeddings
from export.int8.gates import GateResult, SetResult
from export.int8.layers import LayerNoise
from export.int8.report_pictures import draw_embeddings, draw_layers
from export.int8.sensitivity import Sensitivity
from export.options import RangeRule
from runtime.files import write_text_whole
from runtime.model.manifest import JsonObject, Precision

TEXT, JSON, LAYERS, EMBEDDINGS = "report.txt", "report.json", "layers.png", "embeddings.png"
_WORST = 5


@dataclass(frozen=True, slots=True)
class Report:
    """A reduced graph with all that was measured of it."""

    bundle: str
    rule: RangeRule  # of export.int8.ranges
    calibrated_on: int  # pictures
    set_sha256: str  # of the calibration set
    results: Mapping[Precision, GateResult]  # precision -> how it was judged
    megabytes: Mapping[Precision, float]  # precision -> of its graph, fp32 among them
    layers: Sequence[LayerNoise]  # of the INT8 graph
    kept_float: Sequence[str]
    ranking: Sequence[Sensitivity]  # empty where none had to be measured
    fp32: Embeddings  # (N, D) of the pictures that were kept apart
    int8: Embeddings  # (N, D)


def write_report(report: Report, folder: Path) -> None:
    """Write the table as text and JSON, and both pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text_whole(folder / TEXT, "\n".join(describe(report)) + "\n")
    write_text_whole(folder / JSON, json.dumps(_as_json(report), indent=1) + "\n")
    draw_layers(report.bundle, report.layers, folder / LAYERS)
    draw_embeddings(report.fp32, report.int8, folder / EMBEDDINGS)


def describe(report: Report) -> list[str]:
    """Return the table, line by line."""
    made_on = f"ranges by {report.rule} on {report.calibrated_on} pictures of set {report.set_sha256[:12]}"
    lines = [f"{report.bundle}: {made_on}", ""]
    lines += [f"{'graph':<6} {'MB':>6}  {'cosine to FP32: mean':>20}  {'worst':>8}"]
    for precision, size in report.megabytes.items():
        result = report.results.get(precision)
        cosines = f"{result.cosine_mean:>20.5f}  {result.cosine_worst:>8.5f}" if result else f"{'-':>20}  {'-':>8}"
        lines += [f"{precision:<6} {size:>6.1f}  {cosines}"]
    by_set: dict[str, list[str]] = {}
    for precision, result in report.results.items():
        for measured in result.sets:
            fp32 = f"fp32   {measured.r1_fp32:>6.1%}{_fp32_metres(measured)}"
            by_set.setdefault(measured.name, ["", _heading(measured), fp32]).append(
                f"{precision:<6} {_losses(measured)}"
            )
    lines += [line for about_set in by_set.values() for line in about_set]
    lines += ["", f"left float: {', '.join(report.kept_float) or 'nothing'}"]
    lines += [f"  {worst.node}: quantised alone it costs {worst.lost:.5f}" for worst in report.ranking[:_WORST]]
    lines += ["", f"most noise (signal to noise, dB), of {len(report.layers)} layers:"]
    noisiest = sorted(report.layers, key=lambda layer: layer.sqnr_db)[:_WORST]
    return lines + [f"  {layer.sqnr_db:5.1f}  {layer.node}" for layer in noisiest]


def _heading(result: SetResult) -> str:
    return f"{result.name}: {result.queries} queries in {result.gallery} rows, set {result.sha256[:12]}"


def _fp32_metres(result: SetResult) -> str:
    return "" if result.p90_m_fp32 is None else f"{'':<26}  90% within {result.p90_m_fp32:.1f} m"


def _losses(result: SetResult) -> str:
    text = f"{result.r1:>6.1%}  loss {100 * result.r1_loss:+5.2f} +- {100 * result.r1_loss_error:4.2f} points"
    if result.p90_loss is None or result.p90_loss_error is None:
        return text
    return f"{text}  90% within {result.p90_m:.1f} m, loss {result.p90_loss:+.1%} +- {result.p90_loss_error:.1%}"


def _as_json(report: Report) -> JsonObject:
    return {
        "format": 1,
        "bundle": report.bundle,
        "ranges": report.rule,
        "calibration": {"pictures": report.calibrated_on, "sha256": report.set_sha256},
        "megabytes": dict(report.megabytes),
        "graphs": {precision: result.as_json() for precision, result in report.results.items()},
        "kept_float": list(report.kept_float),
        "sensitivity": [asdict(sensitivity) for sensitivity in report.ranking],
        "layers": [asdict(layer) for layer in report.layers],
    }
