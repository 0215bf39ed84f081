"""``python -m train.local``: train the local features that registration needs, on the trunk of an encoder."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from runtime.command import add_verbose, run_command
from runtime.model.bundle import matcher_home
from runtime.progress import progress
from train.local.spec import AMP_CHOICES, LocalSpec


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns 0 when trained, 1 for an error reported in one line, 2 for wrong usage."""
    args = _parser().parse_args(argv)

    def train() -> None:
        from train.local.fit import fit  # torch loads here: --help stays instant

        spec = LocalSpec(
            data=tuple(args.data),
            init=args.init,
            only_may_ship=args.only_may_ship,
            footprint=tuple(args.footprint),
            quilt=args.quilt,
            side=args.side,
            batch=args.batch,
            points=args.points,
            strength=args.strength,
            lr=args.lr,
            minutes=args.minutes,
            amp=args.amp,
            threads=args.threads,
            workers=args.workers,
            seed=args.seed,
        )
        with progress("train.local") as tick:
            scores = fit(spec, args.out, teacher=args.teacher, tick=tick)
        weights = f"{args.out}/local.safetensors"
        print(f"{weights}: {scores.steps:.0f} steps, held-out points matched {scores.right:.1%}")
        print(f"next: python -m export.local {weights} --bundle NAME.bundle")

    return run_command("train.local", train, verbose=args.verbose)


def _parser() -> argparse.ArgumentParser:
    """Return the command's arguments, with the defaults of :class:`LocalSpec`."""
    parser = argparse.ArgumentParser(
        prog="python -m train.local",
        description="Train local features (keypoints and 64-D descriptors) on the frozen trunk of an encoder.\n"
        "They learn from pairs of views whose warp is known; where keypoints are is taught by XFeat.",
        epilog="Needs the teacher once: python -m export.matcher\n"
        "Example: python -m train.local --data overhead:pictures --data world:8 --minutes 40 --out runs/local\n"
        "Next: python -m export.local runs/local/local.safetensors --bundle NAME.bundle",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add, plain = parser.add_argument, LocalSpec(data=())
    add("--data", action="append", required=True, metavar="KIND:PATH", help="as of train.run")
    add("--only-may-ship", action="store_true", help="leave out what a manifest does not mark may_ship")
    add("--init", default=plain.init, help="the encoder whose trunk it is: a bundle (%(default)s)")
    add("--teacher", type=Path, default=matcher_home(), help="matcher bundle (%(default)s)")
    add("--footprint", type=float, nargs=2, default=plain.footprint, metavar="M", help="sides shown, in m")
    add("--quilt", type=float, default=plain.quilt, help="share of scenes sewn of four pictures (%(default)s)")
    add("--side", type=int, default=plain.side, help="of a picture, in pixels; multiple of 32 (%(default)s)")
    add("--batch", type=int, default=plain.batch, help="pairs a step (%(default)s)")
    add("--points", type=int, default=plain.points, help="a pair (%(default)s)")
    add("--strength", type=float, default=plain.strength, help="of changed light and season (%(default)s)")
    add("--lr", type=float, default=plain.lr, help="highest learning rate (%(default)s)")
    add("--minutes", type=float, default=plain.minutes, help="of training (%(default)s)")
    add("--amp", choices=AMP_CHOICES, default=plain.amp, help="bf16 is faster on CPUs that have it")
    add("--threads", type=int, default=plain.threads, help="of PyTorch; 0 is all")
    add("--workers", type=int, default=plain.workers, help="processes that draw pairs (%(default)s)")
    add("--seed", type=int, default=plain.seed)
    add("--out", type=Path, default=Path("runs/local"), help="the run's folder (%(default)s)")
    add_verbose(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
