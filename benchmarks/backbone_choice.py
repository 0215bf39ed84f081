"""Which backbone, which side, which length? The same short training of each, then recall against time and bytes.

    python benchmarks/backbone_choice.py DATA --out FOLDER [--steps 150]

Every backbone starts from ImageNet and sees the same batches, 128 px, by the recipe of ``runs/default_encoder.sh``.
It is then scored at several sides, and at prefixes of its embedding, on the *near misses* and *two dates* of
``place_recognition.py``. Milliseconds are of one picture on ONNX Runtime, one CPU thread; bytes a km2 are of a cache at
one level with a stride of 50 m, all columns counted. Training is short: this ranks choices, it does not say how good
they get.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from place_recognition import Asked, dense
from report import median_ms, print_setting

from runtime.model.bundle import Bundle
from runtime.model.engine_onnx import OnnxEngine
from train.model.checkpoint import load_encoder

BACKBONES = ("tf_efficientnet_lite0", "tf_efficientnet_lite1", "tf_efficientnet_lite2")
SIDES_PX, DIMS = (192, 224, 256), (128, 256, 512)
TILES_A_KM2 = (1000 / 50) ** 2
BYTES_BESIDE = 4 + 16 + 1  # of a row: scale, place, level


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=150)
    args = parser.parse_args()
    print_setting(1)
    rows: list[dict[str, Any]] = []
    for backbone in BACKBONES:
        checkpoint = _train(backbone, args.data, args.out / backbone, args.steps)
        for side_px in SIDES_PX:
            rows += _score(backbone, checkpoint, side_px, args.data, args.out)
            (args.out / "scores.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    draw(rows, args.out / "backbones.png")
    print(f"{args.out}/scores.json, {args.out}/backbones.png")


def _train(backbone: str, data: Path, run: Path, steps: int) -> Path:
    best = run / "last.safetensors"
    if not best.is_file():
        command = [sys.executable, "-m", "train.run", "--preset", "edge", "--only-may-ship", "--out", str(run)]
        command += ["--data", f"overhead:{data}/overhead", "--data", f"site:{data}/photos/boruszyn@0.2"]
        command += ["--footprint", "40", "140", "--quilt", "0.6", "--beside", "--backbone", backbone, "--side", "128"]
        command += ["--warm-side", "0", "--dim", "512", "--matryoshka", "256,128", "--batch", "32", "--lr", "4e-4"]
        command += ["--ema", "0.98", "--amp", "bf16", "--threads", "2", "--workers", "1", "--steps", str(steps)]
        subprocess.run([*command, "--eval-every", str(steps)], check=True)
    return best


def _shortened(embeddings: NDArray[np.float32], dim: int) -> NDArray[np.float32]:
    """The first numbers of embeddings (N, D), of unit norm again."""
    kept = embeddings[:, :dim]
    return np.asarray(kept / np.linalg.norm(kept, axis=1, keepdims=True), np.float32)


def _score(backbone: str, checkpoint: Path, side_px: int, data: Path, out: Path) -> list[dict[str, Any]]:
    from export.bundles.encoder import export_encoder

    bundle, (encoder, _) = out / f"{backbone}-{side_px}.bundle", load_encoder(checkpoint)
    encoder.spec = replace(encoder.spec, side_px=side_px)
    export_encoder(encoder, bundle, training={}, licence="Apache-2.0", small=True)
    alone = OnnxEngine(Bundle.open(bundle), threads=1)
    picture = np.zeros((1, side_px, side_px, 3), np.uint8)
    took_ms = median_ms(lambda: alone.embed(picture), calls=50)
    engine, rows = OnnxEngine(Bundle.open(bundle)), []
    asked = _asked(data, side_px)
    held = {one.name: (engine.embed(one.queries), engine.embed(one.tiles)) for one in asked}
    for dim in DIMS:
        row: dict[str, Any] = {"backbone": backbone, "side_px": side_px, "dim": dim, "ms": round(took_ms, 2)}
        row["kb_a_km2"] = (dim + BYTES_BESIDE) * TILES_A_KM2 / 1e3
        for one in asked:
            queries, tiles = (_shortened(kept, dim) for kept in held[one.name])
            first = (queries @ tiles.T).argmax(axis=1)
            row[one.name] = float(one.right[np.arange(len(first)), first].mean())
        rows.append(row)
        shown = "  ".join(f"{one.name} {row[one.name]:.1%}" for one in asked)
        cost = f"{took_ms:.1f} ms, {row['kb_a_km2']:.0f} kB/km2"
        print(f"{backbone} {side_px} px {dim}-D: {cost}  {shown}", flush=True)
    return rows


@lru_cache(maxsize=len(SIDES_PX))
def _asked(data: Path, side_px: int) -> list[Asked]:
    return list(dense(data, side_px))


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Recall against time at 256-D, and against bytes at 224 px; a ring where nothing is better and cheaper."""
    from train.figures import BLUE, GREEN, INK, VERMILLION, new_figure, save_figure, tidy

    figure = new_figure(10.5, 3.8, "Backbones by the same short training")
    panels = figure.subplots(1, 2, sharey=True)
    kept = ([r for r in rows if r["dim"] == 256], [r for r in rows if r["side_px"] == 224])
    for axes, some, cost, named in zip(panels, kept, ("ms", "kb_a_km2"), ("side_px", "dim"), strict=True):
        tidy(axes, "R@1, mean of near misses and two dates")
        scored = [
            (r, 100 * float(np.mean([r[name] for name in ("near misses", "two dates", "two dates, back")])))
            for r in some
        ]
        for backbone, colour in zip(BACKBONES, (BLUE, GREEN, VERMILLION), strict=True):
            mine = [(r[cost], share, r[named]) for r, share in scored if r["backbone"] == backbone]
            axes.plot([m[0] for m in mine], [m[1] for m in mine], "o-", color=colour, label=backbone, linewidth=1)
            for x, y, label in mine:
                axes.annotate(str(label), (x, y), xytext=(4, 5), textcoords="offset points", fontsize=8)
        better = [
            [(o[cost] <= r[cost] and t > s) or (o[cost] < r[cost] and t >= s) for o, t in scored] for r, s in scored
        ]
        front = [(r[cost], s) for (r, s), by in zip(scored, better, strict=True) if not any(by)]
        axes.plot(*zip(*front, strict=True), "o", markersize=11, markerfacecolor="none", color=INK)
    panels[0].set_xlabel("ms a picture, one CPU thread (256-D; labels: side in px)", fontsize=8.5)
    panels[1].set_xlabel("kB a km2 at one level, 50 m stride (224 px; labels: length)", fontsize=8.5)
    panels[0].set_ylabel("percent", fontsize=8.5)
    panels[0].legend(frameon=False, fontsize=8)
    save_figure(figure, path)


if __name__ == "__main__":
    main()
