"""``python -m train.ablation``: what each part of the loss is worth, on the same batches, with its uncertainty."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from runtime.command import add_verbose, run_command
from runtime.progress import progress
from train.ablation.arms import DEFAULT_ARMS
from train.options import add_dphr_constants

logger = logging.getLogger("train.ablation.__main__")

_EPILOG = """examples:
  python -m train.ablation --data overhead:pictures@0.3 --test pairs:two_dates --seeds 5 --out runs/ablation
      InfoNCE, triplet, RDA, PALW, DPHR and their controls, five seeds each; after Ctrl-C the same command goes on
  python -m train.ablation --data world:4 --arms info_nce dphr info_nce+dphr --lr 1e-4 3e-4 1e-3 --out runs/tuned
      three arms, each with the learning rate that suits it, chosen on places and a seed that are not scored
  python -m train.ablation --data overhead:pictures@0.3 --seeds 8 --out runs/ablation
      three more seeds on top of the five

arms: untrained info_nce triplet rda palw dphr dphr_fixed info_nce+dphr info_nce+triplet hard_triplet soft_margin
      multi_similarity
"""


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns 0 done, 1 an error reported in one line, 2 usage, 130 interrupted (the same goes on)."""
    args = _parser().parse_args(argv)

    def ablate() -> int:
        from train.ablation.run import AblationSpec, run_ablation  # torch loads here: --help stays instant
        from train.ablation.study import StudySpec
        from train.losses.dphr import DphrSpec
        from train.model.encoder import EncoderSpec
        from train.spec import TrainSpec

        window = max(4, round(args.steps / 10))  # 64 of the long runs would leave lambda at 0 in a short one
        base = TrainSpec(
            data=tuple(args.data),
            encoder=EncoderSpec(args.backbone, args.dim, args.side, init=args.init),
            dphr=DphrSpec(window=window),
            augment=args.augment,
            batch=args.batch,
            steps=args.steps,
            workers=args.workers,
            threads=args.threads,
            device=args.device,
        )
        base = base.changed({name: value for name, value in vars(args).items() if name.startswith("dphr.")})
        study = StudySpec(base, tuple(args.test), args.views, tuple(args.lr))
        spec = AblationSpec(study, tuple(args.arms), args.seeds, args.against)
        try:
            with progress("steps") as tick:
                written = run_ablation(spec, args.out, tick)
        except KeyboardInterrupt:
            logger.info("interrupted; what is done is kept, and the same command goes on")
            return 130
        print("\n".join(map(str, written)))
        return 0

    return run_command("train.ablation", ablate, verbose=args.verbose)


def _parser() -> argparse.ArgumentParser:
    """Return the command's arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m train.ablation",
        description="Train the same encoder on the same batches with one loss after another, over several seeds.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--data", action="append", required=True, metavar="KIND:PATH[@GSD]", help="as for train.run")
    add("--test", action="append", default=[], metavar="KIND:PATH[@GSD]", help="score on this too, all of it")
    add("--out", type=Path, required=True, metavar="FOLDER", help="results, tables and pictures; a rerun goes on here")
    add("--seeds", type=int, default=5, help="how many; more may be added later (default: 5)")
    arms = "which losses (default: all but the last three)"
    add("--arms", nargs="+", default=list(DEFAULT_ARMS), metavar="ARM", help=arms)
    add("--against", default="info_nce", metavar="ARM", help="the reference of differences (default: info_nce)")
    add("--steps", type=int, default=100, help="of every arm (default: 100)")
    add("--batch", type=int, default=48, help="pairs in a batch, each of another place (default: 48)")
    add("--lr", type=float, nargs="+", default=[5e-4], help="one for all arms, or several to choose from for each arm")
    add("--backbone", default="tf_efficientnet_lite0", help="a timm model (default: tf_efficientnet_lite0)")
    add("--init", default="imagenet", help="imagenet, random, or a file of backbone weights")
    add("--dim", type=int, default=256, help="length of an embedding (default: 256)")
    add("--side", type=int, default=96, metavar="PX", help="side of the pictures (default: 96)")
    add("--augment", type=float, default=1.0, metavar="0..1", help="how much light, season and sensor change")
    add("--views", type=int, default=3, help="draws of each scored place, averaged (default: 3)")
    add("--workers", type=int, default=2, help="processes that render views (default: 2)")
    add("--threads", type=int, default=0, help="threads of torch; 0: as it likes")
    add("--device", choices=["auto", "cpu", "cuda"], default="auto", help="where to train")
    add_dphr_constants(
        parser.add_argument_group("DPHR", "of all arms that have it (default window: a tenth of --steps)")
    )
    add_verbose(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
