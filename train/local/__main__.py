"""``python -m train.local``: train the local features that registration needs, on the trunk of an encoder."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from runtime.command import run_command
from runtime.errors import TrainError
from runtime.model.bundle import matcher_home
from runtime.progress import progress


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0 trained, 1 an error told in one line, 2 usage."""
    parser = argparse.ArgumentParser(
        prog="python -m train.local",
        description="Train local features (keypoints and 64-D descriptors) on the frozen trunk of an encoder.\n"
        "They learn from pairs of views whose warp is known; where keypoints are is taught by XFeat.",
        epilog="Needs the teacher once: python -m export.matcher\n"
        "Example: python -m train.local --data overhead:pictures --data world:8 --minutes 40 --out runs/local\n"
        "Next: python -m export.local runs/local/local.safetensors --bundle NAME.bundle",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", action="append", required=True, metavar="KIND:PATH", help="as of train.run")
    parser.add_argument("--only-may-ship", action="store_true", help="leave out what a manifest does not mark may_ship")
    parser.add_argument("--init", default="default", help="the encoder whose trunk it is: a bundle (%(default)s)")
    parser.add_argument("--teacher", type=Path, default=matcher_home(), help="matcher bundle (%(default)s)")
    parser.add_argument(
        "--footprint", type=float, nargs=2, default=(50.0, 150.0), metavar="M", help="sides shown, in m"
    )
    parser.add_argument("--quilt", type=float, default=0.5, help="share of scenes sewn of four pictures (%(default)s)")
    parser.add_argument("--side", type=int, default=256, help="of a picture, in pixels; multiple of 32 (%(default)s)")
    parser.add_argument("--batch", type=int, default=8, help="pairs a step (%(default)s)")
    parser.add_argument("--points", type=int, default=384, help="a pair (%(default)s)")
    parser.add_argument("--strength", type=float, default=1.0, help="of changed light and season (%(default)s)")
    parser.add_argument("--lr", type=float, default=2e-3, help="highest learning rate (%(default)s)")
    parser.add_argument("--minutes", type=float, default=40.0, help="of training (%(default)s)")
    parser.add_argument("--amp", choices=("off", "bf16"), default="off", help="bf16 is faster on CPUs that have it")
    parser.add_argument("--threads", type=int, default=0, help="of PyTorch; 0 is all")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw pairs (%(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/local"), help="the run's folder (%(default)s)")
    args = parser.parse_args(argv)
    return run_command("train.local", lambda: _train(args))


def _train(args: argparse.Namespace) -> None:
    if args.side % 32 or args.side < 64:
        raise TrainError(f"--side {args.side} does not fit; expected a multiple of 32 from 64 on, as --side 256")
    from train.local.fit import fit
    from train.local.store import LocalSpec

    given = {name: value for name, value in vars(args).items() if name in LocalSpec.__dataclass_fields__}
    given |= {"data": tuple(args.data), "footprint": tuple(args.footprint)}
    with progress("train.local") as tick:
        scores = fit(LocalSpec(**given), args.out, teacher=args.teacher, tick=tick)
    print(f"{args.out}/local.safetensors: {scores['steps']:.0f} steps, held-out points matched {scores['right']:.1%}")
    print(f"next: python -m export.local {args.out}/local.safetensors --bundle NAME.bundle")


if __name__ == "__main__":
    sys.exit(main())
