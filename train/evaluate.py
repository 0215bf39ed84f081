"""``python -m train.evaluate``: how well an encoder finds the place, on pairs of views that it was not trained on."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runtime.errors import DataError, run_command
from runtime.progress import progress

if TYPE_CHECKING:
    from train.scoring import Embed

_EPILOG = """examples:
  python -m train.evaluate runs/edge/best.safetensors --data overhead:pictures@0.3
      the held-out places of a manifest.csv, as views rendered with errors of pose and another light
  python -m train.evaluate my.bundle --data pairs:two_dates --split all --report scores.json
      an exported bundle, on registered pictures of two dates
"""


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0 scored, 1 an error told in one line, 2 usage."""
    parser = argparse.ArgumentParser(
        prog="python -m train.evaluate",
        description="Score an encoder: for each drone view the right tile among all, and the other way round.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("encoder", type=Path, metavar="CHECKPOINT|BUNDLE", help="a .safetensors file of a run, or a .bundle folder")
    add("--data", action="append", required=True, metavar="KIND:PATH[@GSD]", help="as for train.run")
    add("--split", choices=["val", "train", "all"], default="val", help="which places (default: val)")
    add("--augment", type=float, default=1.0, metavar="0..1", help="how much light, season and sensor change")
    add("--precision", choices=["fp32", "fp16", "int8"], help="of a bundle (default: fp32, or fp16 where it has none)")
    add("--report", type=Path, metavar="FILE", help="write the scores as JSON")
    args = parser.parse_args(argv)
    return run_command("train.evaluate", lambda: _evaluate(args))


def _evaluate(args: argparse.Namespace) -> int:
    from runtime.files import write_text_whole
    from train.data.dataset import PairDataset
    from train.data.manifest import Choice
    from train.data.open import open_sources
    from train.data.rectified import ViewSpec
    from train.scoring import VIEWS_SEED, score_views

    choice = Choice(None if args.split == "all" else args.split)
    sources = open_sources(args.data, choice, ViewSpec())
    embed, side_px = _open_encoder(args.encoder, args.precision)
    views = PairDataset(sources, seed=VIEWS_SEED, side_px=side_px, strength=args.augment)
    if len(views) < 2:
        raise DataError(f"{', '.join(args.data)} has {len(views)} places in split {args.split}; try --split all")
    with progress("views") as tick:
        both = score_views(embed, views, tick)
    scores = dict(zip(("drone -> tile", "tile -> drone"), both, strict=True))
    for direction, s in scores.items():
        print(
            f"{direction:>14}: R@1 {s.r1:.2%}  R@5 {s.r5:.2%}  R@10 {s.r10:.2%}  R@1% {s.r1_percent:.2%}  "
            f"AP {s.ap:.2%}  ({s.queries} queries, gallery {s.gallery})"
        )
    if args.report:
        about: dict[str, Any] = {"encoder": str(args.encoder), "data": args.data, "split": args.split}
        about |= {direction: asdict(s) for direction, s in scores.items()}
        write_text_whole(args.report, json.dumps(about, indent=2) + "\n")
        print(args.report)
    return 0


def _open_encoder(path: Path, precision: str | None) -> tuple[Embed, int]:
    """What embeds, and the side of its pictures; raises TrainError or BundleError."""
    if path.is_dir():
        from runtime.model.bundle import Bundle
        from runtime.model.engine_onnx import OnnxEngine

        engine = OnnxEngine(Bundle.open(path), precision)
        return engine.embed, engine.side_px

    from train.checkpoint import load_encoder
    from train.scoring import embed_with

    encoder, _ = load_encoder(path)
    return embed_with(encoder), encoder.spec.side_px


if __name__ == "__main__":
    sys.exit(main())
