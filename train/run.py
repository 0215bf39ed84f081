"""``python -m train.run``: train an encoder."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runtime.errors import SettingsError, run_command
from runtime.progress import progress

if TYPE_CHECKING:
    from train.spec import TrainSpec

_EPILOG = """examples:
  python -m train.run --preset smoke --out /tmp/smoke
      proves the installation: draws its own places and trains for a minute or two
  python -m train.run --data overhead:pictures@0.3 --minutes 60 --out runs/first
      an hour on your pictures taken straight down, 0.3 m a pixel; ends by itself
  python -m train.run --resume runs/first
      goes on where it was stopped; Ctrl-C finishes the step and saves

kinds of data:
  overhead:FOLDER  pictures taken straight down, each of another place; a manifest.csv (image,gsd_m,split,may_ship) in
                   it or above it chooses and holds places back for validation
  site:FOLDER      overlapping pictures of one place
  pairs:FOLDER     registered pictures of two dates: a manifest.csv (a,b,gsd_m,split), or folders a and b
  world:N          N generated worlds, each on two dates
"""


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0 trained (or stopped and saved), 1 an error told in one line, 2 usage."""
    args = _parser().parse_args(argv)
    return run_command("train.run", lambda: _train(args))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m train.run",
        description="Train an encoder that puts a drone's view and the map tile of the same ground close together.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--preset", choices=["smoke", "edge", "paper"], help="where all settings start from (default: edge)")
    add("--data", action="append", metavar="KIND:PATH[@GSD]", help="what to train on; may be given many times")
    add("--out", type=Path, metavar="RUN", help="folder to write to (default: runs/PRESET)")
    add("--resume", type=Path, metavar="RUN", help="folder of a run to continue; --steps and --minutes may prolong it")
    add("--minutes", type=float, help="end after so long; the schedule fits itself to it")
    add("--steps", type=int, help="end after so many batches")
    add("--batch", type=int, help="pairs in a batch, each of another place")
    add("--lr", type=float, help="highest learning rate of the backbone")
    add("--host", choices=["info_nce", "triplet", "hard_triplet", "none"], help="the loss beside DPHR")
    add("--no-dphr", action="store_true", help="the host loss alone")
    add("--backbone", help="a timm model (default: tf_efficientnet_lite0)")
    add("--dim", type=int, help="length of an embedding")
    add("--side", type=int, metavar="PX", help="side of the pictures that the encoder reads")
    add("--warm-side", type=int, metavar="PX", help="side of the pictures in the first part of the run; 0: the same")
    add("--init", help="imagenet, random, or a file of backbone weights")
    add("--augment", type=float, metavar="0..1", help="how much light, season and sensor change")
    add("--only-may-ship", action="store_true", help="leave out pictures whose licence does not let weights ship")
    add("--workers", type=int, help="processes that render views")
    add("--threads", type=int, help="threads of torch; 0: as it likes")
    add("--eval-every", type=int, metavar="STEPS", help="how often to score held-out places")
    add("--save-every", type=int, metavar="STEPS", help="how often to save")
    add("--seed", type=int, help="of data order, views and weights")
    add("--device", choices=["auto", "cpu", "cuda"], help="where to train (default: a GPU where there is one)")
    return parser


def _train(args: argparse.Namespace) -> int:
    from train.fit import CURVES, fit  # torch loads here: --help stays instant

    spec = _resumed(args) if args.resume else _chosen(args)
    out = args.resume or args.out or Path("runs") / (args.preset or "edge")
    with _finish_on_interrupt() as stop, progress("train") as tick:
        summary = fit(spec, out, resume=bool(args.resume), tell=_teller(tick), stop=stop)
    _say(f"{summary['steps']} steps in {summary['elapsed_s'] / 60:.1f} min")
    _say(f"{out}/{CURVES}  loss, lambda and R@1 over steps")
    if stop():
        _say(f"stopped; go on with: python -m train.run --resume {out}")
        return 0
    scores = (summary[name] for name in ("r1_before", "r1_last", "r1_best"))
    before, last, best = ("unknown" if r1 is None else f"{r1:.1%}" for r1 in scores)
    _say(f"R@1 on held-out places: {before} before training, {last} at the end, {best} at best")
    _say(f"{out}/best.safetensors  next: python -m export.onnx {out}/best.safetensors --out NAME.bundle")
    return 0


def _chosen(args: argparse.Namespace) -> TrainSpec:
    from train.spec import PRESETS

    spec = PRESETS[args.preset or "edge"]
    encoder = {
        "backbone": args.backbone,
        "dim": args.dim,
        "side_px": args.side,
        "init": args.init,
    }
    plain = ("minutes", "steps", "batch", "lr", "host", "augment", "workers", "threads", "eval_every", "save_every")
    changes: dict[str, Any] = {name: getattr(args, name) for name in (*plain, "seed", "device")}
    changes["warm_side_px"] = args.warm_side
    changes["data"] = tuple(args.data) if args.data else None
    if args.minutes is not None and args.steps is None:
        changes["steps"] = sys.maxsize  # the clock alone decides
    if args.no_dphr:
        spec = replace(spec, dphr=None)
    given = {name: value for name, value in changes.items() if value is not None}
    encoder_spec = replace(spec.encoder, **{k: v for k, v in encoder.items() if v is not None})
    return replace(spec, encoder=encoder_spec, only_may_ship=args.only_may_ship, **given)


def _resumed(args: argparse.Namespace) -> TrainSpec:
    import json

    from train.fit import SPEC
    from train.spec import TrainSpec

    given = {name: value for name, value in vars(args).items() if value not in (None, False) and name != "resume"}
    budget = {name: given.pop(name) for name in ("steps", "minutes") if name in given}
    if given:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise SettingsError(
            f"--resume keeps the settings of the run, and only a longer --steps or --minutes; drop {flags}"
        )
    path = args.resume / SPEC
    try:
        return replace(TrainSpec.from_json(json.loads(path.read_text(encoding="utf-8"))), **budget)
    except (FileNotFoundError, NotADirectoryError):
        raise SettingsError(f"{path} is missing; --resume wants the --out folder of an earlier run") from None
    except json.JSONDecodeError as error:
        raise SettingsError(f"{path} is not JSON ({error}); start the run anew") from None


def _teller(tick: Callable[[int, int], None]) -> Callable[[dict[str, Any], float], None]:
    """Validation lines always, step lines now and then where there is no bar."""

    def tell(line: dict[str, Any], done: float) -> None:
        tick(round(done * 1000), 1000)
        if "r1" in line:
            _say(f"step {line['step']}: held-out R@1 {line['r1']:.1%}  R@5 {line['r5']:.1%}  AP {line['ap']:.1%}")
        elif line["step"] % 20 == 1 and not sys.stderr.isatty():
            _say(
                f"step {line['step']}: loss {line['loss']:.3f}  lambda {line['lambda_t']:.2f}  "
                f"{done:.0%} after {line['elapsed_s']:.0f} s"
            )

    return tell


@contextmanager
def _finish_on_interrupt() -> Iterator[Callable[[], bool]]:
    """``stop()`` turns true at the first Ctrl-C; a second one interrupts at once."""
    asked = False

    def on_signal(_number: int, _frame: object) -> None:
        nonlocal asked
        asked = True
        signal.signal(signal.SIGINT, before)
        _say("finishing the step and saving; Ctrl-C again to drop it")

    before = signal.signal(signal.SIGINT, on_signal)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, before)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
