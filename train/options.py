"""The flags of ``train.run``, each the path of a setting in :class:`train.spec.TrainSpec`; only given ones count."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.command import add_verbose
from train.choices import AMP_CHOICES, DISTANCES, HOSTS, POOLINGS, PRESET_NAMES, PresetName

EPILOG = """examples:
  python -m train.run --preset smoke --out /tmp/smoke
      proves the installation: draws its own places and trains for a minute or two
  python -m train.run --data overhead:pictures@0.3 --minutes 60 --out runs/first
      an hour on your pictures taken straight down, 0.3 m a pixel; ends by itself
  python -m train.run --preset paper --data university1652:University-1652 --out runs/paper
      the Sample4Geo recipe on University-1652, with DPHR and batches of look-alikes on top; for a large GPU
  python -m train.run --preset paper --data university1652:University-1652 --chunk 16 --checkpointing --out runs/paper
      the same gradients on a small one: pictures pass 16 at a time, activations are computed twice
  python -m train.run --preset edge --data university1652:University-1652 --teacher runs/paper/best.safetensors
      a small encoder that learns from the large one
  python -m train.run --data overhead:my_map.tif --init default --out runs/mine
      the encoder that ships, adapted to your own map in minutes (preset adapt); no flight is needed
  python -m train.run --data flight:flights/monday --init runs/first/best.safetensors --lr 1e-4 --out runs/mine
      tune an encoder to your own flights; --data may be given many times
  python -m train.run --resume runs/first
      goes on where it was stopped; Ctrl-C finishes the step and saves
  torchrun --nproc-per-node 4 -m train.run --preset paper --data university1652:University-1652
      on four GPUs; --batch stays the batch of all together

kinds of data, as KIND:PATH[@GSD][*WEIGHT]; a weight of 2 ('flight:mine*2') draws each place twice an epoch:
  overhead:FOLDER        pictures taken straight down, each of another place; in it or above it a manifest.csv
                         (image,gsd_m,split,may_ship) chooses and holds places back for validation
  overhead:MAP.tif       a map of your own, a GeoTIFF of any size and CRS: views of its cells are rendered; an eighth at
                         the east or north end is held back, and a strip beside it left out
  site:FOLDER            overlapping pictures of one place
  pairs:FOLDER|FILE.csv  two pictures of a place, in two folders or as columns of a CSV: a and b are registered (two
                         dates), drone and satellite are not; PATH#drone=NAME,satellite=NAME takes others for these two.
                         Many views of a place: drone/PLACE/*.jpg, or a column place; also split, gsd_m, lat, lon
  flight:FOLDER[+MAP]    a recorded flight with truth.csv, and its map: frames are laid on the ground as on board
  university1652:FOLDER  University-1652; also sues200:, denseuav:, visloc:
  world:N                N generated worlds, each on two dates
"""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A run as a command line asks for it; what was not given is None, or not among the settings."""

    settings: Mapping[str, Any]  # by their path, as ``lr`` or ``dphr.margin``
    preset: PresetName | None = None
    out: Path | None = None
    resume: Path | None = None  # the folder of a run to continue
    verbose: bool = False


def parse_request(argv: Sequence[str] | None) -> RunRequest:
    """Parse the command line; exits with 2 where it cannot be understood."""
    values = vars(build_parser().parse_args(argv))
    preset, out, resume = (values.pop(name, None) for name in ("preset", "out", "resume"))
    verbose = values.pop("verbose", False)
    settings = {path: tuple(value) if isinstance(value, list) else value for path, value in values.items()}
    return RunRequest(settings, preset, out, resume, verbose)


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of the whole command; what is not given does not appear in the parsed arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m train.run",
        usage="python -m train.run [--preset NAME] [--data KIND:PATH] [--out RUN] [settings]\n"
        "       python -m train.run --resume RUN",
        description="Train an encoder that puts a drone's view and the map tile of the same ground close together.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )
    add = parser.add_argument
    add("--preset", choices=PRESET_NAMES, help="where all settings start from (edge)")
    add("--out", type=Path, metavar="RUN", help="folder to write to (default: runs/PRESET)")
    add("--resume", type=Path, metavar="RUN", help="folder of a run to continue; --steps and --minutes may prolong it")
    _add_data(parser.add_argument_group("data"))
    _add_encoder(parser.add_argument_group("encoder"))
    _add_loss(parser.add_argument_group("loss"))
    _add_dphr(parser.add_argument_group("DPHR", "added to the host: L_tri + lambda_t L_wtri (arXiv 2510.27181)"))
    _add_schedule(parser.add_argument_group("schedule"))
    _add_machine(parser.add_argument_group("machine"))
    add_verbose(parser)
    return parser


def _add_data(group: argparse._ArgumentGroup) -> None:
    """Add the flags of data and views."""
    add = group.add_argument
    add("--data", action="append", metavar="KIND:PATH[@GSD][*WEIGHT]", help="what to train on; may be given many times")
    add("--only-may-ship", action="store_true", help="leave out pictures whose licence does not let weights ship")
    add(
        "--footprint",
        dest="view.footprint_m",
        type=float,
        nargs=2,
        metavar=("FROM", "TO"),
        help="sides of the squares that are rendered, metres (45 90)",
    )
    add(
        "--beside",
        dest="view.beside",
        action="store_true",
        help="show each rendered place with one beside it, a near miss: twice as many pairs a batch",
    )
    add(
        "--quilt",
        dest="view.quilt",
        type=float,
        metavar="SHARE",
        help="of overhead pictures, shown sewn together with three others: ground for larger footprints",
    )
    add("--augment", type=float, metavar="0..1", help="how much light, season and sensor change")
    add("--max-broken", type=float, metavar="SHARE", help="of pictures that may be unreadable before the run stops")


def _add_encoder(group: argparse._ArgumentGroup) -> None:
    """Add the flags of the encoder."""
    add = group.add_argument
    add("--backbone", dest="encoder.backbone", metavar="NAME", help="any timm model: a convnet or a transformer")
    add(
        "--init",
        dest="encoder.init",
        metavar="INIT",
        help="imagenet, random, default (what ships), a bundle, or a file: timm weights or a checkpoint",
    )
    add("--pooling", dest="encoder.pooling", choices=POOLINGS, help="native: as the backbone pools")
    add("--dim", dest="encoder.dim", type=int, metavar="D", help="length of an embedding")
    add("--side", dest="encoder.side_px", type=int, metavar="PX", help="side of the pictures that the encoder reads")
    add("--matryoshka", type=_lengths, metavar="512,256", help="train these shorter embeddings too, for small caches")


def _add_loss(group: argparse._ArgumentGroup) -> None:
    """Add the flags of the host loss and the teacher."""
    add = group.add_argument
    *hosts, last = HOSTS
    add("--host", metavar="LOSS", help=f"the loss beside DPHR: {', '.join(hosts)} or {last}")
    add("--label-smoothing", type=float, metavar="0..1", help="of InfoNCE")
    add("--teacher", metavar="CHECKPOINT", help="learn the similarities of this larger encoder as well")
    add("--distill", type=float, metavar="WEIGHT", help="of the teacher (default: 1)")


def _add_dphr(group: argparse._ArgumentGroup) -> None:
    """Add the flags of DPHR."""
    add = group.add_argument
    add("--no-dphr", dest="dphr", action="store_const", const=None, help="the host loss alone")
    add("--no-rda", dest="dphr.rda", action="store_false", help="weigh all triplets alike")
    add("--no-palw", dest="dphr.palw", action="store_false", help="lambda stays at --fixed-lambda")
    add("--fixed-lambda", dest="dphr.fixed_lambda", type=float, metavar="L", help="lambda without PALW")
    add_dphr_constants(group)


def add_dphr_constants(group: argparse._ArgumentGroup) -> None:
    """Add the flags of DPHR's constants, of a run and of an ablation; what is not given does not appear."""

    def add(flag: str, metavar: str, explained: str, kind: type = float) -> None:
        dest = f"dphr.{flag[2:].replace('-', '_')}"
        group.add_argument(flag, dest=dest, type=kind, metavar=metavar, help=explained, default=argparse.SUPPRESS)

    add("--distance", "KIND", f"of all triplets: {' or '.join(DISTANCES)}", str)
    add("--margin", "M", "of all triplets")
    add("--w-min", "W", "RDA's weight of the easiest triplet")
    add("--w-max", "W", "RDA's weight of the hardest triplet")
    add("--window", "STEPS", "in PALW's moving average", int)
    add("--alpha-max", "A", "what PALW's lambda grows towards")
    add("--beta", "B", "PALW's smoothing: 0.9 for short runs, 0.99 for long ones")


def _add_schedule(group: argparse._ArgumentGroup) -> None:
    """Add the flags of batches, schedule and what is kept."""
    add = group.add_argument
    add("--steps", type=int, metavar="N", help="end after so many batches")
    add("--minutes", type=float, metavar="MIN", help="end after so long; the schedule fits itself to it")
    add("--batch", type=int, metavar="PAIRS", help="in a batch, each of another place")
    add("--hard-every", type=int, metavar="EPOCHS", help="find places that look alike so often, to meet in batches")
    add("--lr", type=float, metavar="RATE", help="highest learning rate of the backbone")
    add("--head-lr-factor", type=float, metavar="F", help="the head's learning rate is so many times as high")
    add("--weight-decay", type=float, metavar="RATE", help="of AdamW")
    add("--clip-norm", type=float, metavar="NORM", help="longest gradient that is followed whole")
    add("--warmup", type=float, metavar="PART", help="of the run in which the learning rate rises")
    add("--warm-side", dest="warm_side_px", type=int, metavar="PX", help="smaller pictures for a first part; 0: never")
    add("--warm-part", type=float, metavar="PART", help="of the run that --warm-side lasts")
    add(
        "--train-norms",
        action="store_true",
        help="batch normalisation follows the batches; from random weights it always does",
    )
    add(
        "--quantise",
        action="store_true",
        help="a finish for INT8: train on from --init RUN/best.safetensors with rounding, some 100 steps at a low --lr",
    )
    add("--ema", type=float, metavar="DECAY", help="score and save averaged weights, as 0.999; 0: the last ones")
    add("--eval-every", type=int, metavar="STEPS", help="how often to score held-out places")
    add("--save-every", type=int, metavar="STEPS", help="how often to save")
    add("--seed", type=int, metavar="N", help="of data order, views and weights")


def _add_machine(group: argparse._ArgumentGroup) -> None:
    """Add the flags of the machine."""
    add = group.add_argument
    add("--device", metavar="auto|cpu|cuda", help="where to train (default: a GPU where there is one)")
    add("--amp", choices=AMP_CHOICES, help="precision of the backbone; auto: half on a GPU")
    add("--chunk", type=int, metavar="PICTURES", help="pass so many at a time (gradient caching); 0: all at once")
    add("--checkpointing", action="store_true", help="compute activations twice instead of keeping them")
    add("--deterministic", action="store_true", help="the same bits also on a GPU; slower")
    add("--workers", type=int, metavar="N", help="processes that render views")
    add("--threads", type=int, metavar="N", help="threads of torch; 0: as it likes")


def _lengths(text: str) -> tuple[int, ...]:
    """Parse lengths with commas between."""
    try:
        return tuple(int(part) for part in text.split(",") if part)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: expected lengths with commas between, as 512,256,128") from None
