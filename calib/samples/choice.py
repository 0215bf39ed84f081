"""``python -m calib.int8``: choose the pictures that a bundle's INT8 ranges will be measured on."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.command import run_command
from runtime.errors import DataError
from runtime.types import Tick

if TYPE_CHECKING:
    from calib.samples.sources import Sample


MIN_COUNT = 8  # under this the range of a layer is a matter of luck
_OFFERED, _OFFERED_BYTES = 4, 1 << 29  # pictures read for one that is chosen, and how much may be held


def choose(
    sources: Sequence[Path], count: int, side_px: int, seed: int, tick: Tick = lambda done, total: None
) -> list[Sample]:
    """About ``count`` samples, the same number of each source where they have them; seeded.

    Of four times as many, those that show most kinds of ground (``calib.samples.diverse``). Raises DataError where there are
    not enough to measure anything.
    """
    import numpy as np

    from calib.samples.diverse import choose_diverse, statistics
    from calib.samples.sources import samples

    chosen: list[Sample] = []
    for i, source in enumerate(sources):
        rng = np.random.default_rng((seed, i))
        share = -(-(count - len(chosen)) // (len(sources) - i))  # what earlier sources lacked, later ones make up
        most = max(share, min(_OFFERED * share, _OFFERED_BYTES // (3 * side_px**2)))
        offered = []
        for sample in samples(source, most, side_px, rng):
            offered.append(sample)
            tick(i * most + len(offered), len(sources) * most)
        if offered:
            features = np.stack([statistics(sample.picture) for sample in offered])
            chosen += [offered[row] for row in choose_diverse(features, share, rng)]
    if len(chosen) < MIN_COUNT:
        raise DataError(
            f"{len(chosen)} usable pictures are too few; give --from more folders, {MIN_COUNT} is the least"
        )
    return chosen


def contact_sheet(chosen: Sequence[Sample], path: Path) -> None:
    """A picture of 64 samples, evenly taken, for people to judge."""
    import cv2
    import numpy as np

    thumbs = [
        cv2.resize(sample.picture, (96, 96), interpolation=cv2.INTER_AREA)
        for sample in chosen[:: -(-len(chosen) // 64)]
    ]
    thumbs += [np.full((96, 96, 3), 255, np.uint8)] * (-len(thumbs) % 8)
    sheet = np.vstack([np.hstack(thumbs[i : i + 8]) for i in range(0, len(thumbs), 8)])
    cv2.imwrite(str(path), sheet[..., ::-1])


def main(argv: list[str] | None = None) -> int:
    """Choose a calibration set; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m calib.int8",
        description="Choose the pictures on which INT8 ranges are measured, and store them in the bundle's folder. "
        "Take what the drone will see and the map it will search: ranges are only right for what was shown.",
        epilog="Example: python -m calib.int8 --from flights/one --from area.mbtiles --bundle edge.bundle\n"
        "Next: python -m export.trt --int8 edge.bundle",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--from",
        dest="sources",
        type=Path,
        action="extend",
        nargs="+",
        required=True,
        metavar="FOLDER",
        help="a recorded flight, a map.mbtiles, or a folder of pictures; give several",
    )
    parser.add_argument("--bundle", type=Path, required=True, metavar="NAME.bundle", help="from python -m export.onnx")
    parser.add_argument("--count", type=int, default=256, help="pictures in all (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed, the same pictures (%(default)s)")
    parser.add_argument("--sheet", type=Path, metavar="PNG", help="also draw some 64 of them")
    args = parser.parse_args(argv)
    if args.count < MIN_COUNT:
        parser.error(f"--count {args.count} is too few: {MIN_COUNT} is the least")
    return run_command("calib.int8", lambda: _run(args))


def _run(args: argparse.Namespace) -> None:
    from calib.samples.stored_set import LIST, PICTURES, write_set
    from runtime.model.bundle import Bundle, write_manifest
    from runtime.progress import progress

    bundle = Bundle.open(args.bundle)
    with progress("pictures") as tick:
        chosen = choose(args.sources, args.count, bundle.side_px, args.seed, tick)
    sha256 = write_set(bundle.path, chosen, args.seed)
    about = {"list": LIST, "pictures": len(chosen), "seed": args.seed, "sha256": sha256}
    write_manifest(bundle.path, {**bundle.manifest, "calibration": about})
    if args.sheet:
        contact_sheet(chosen, args.sheet)
    views = {source.suffix == ".mbtiles" for source in args.sources}
    if len(views) == 1:
        lacking = "drone: give a flight too" if views == {True} else "map: give a map.mbtiles too"
        print(f"No picture is from a {lacking}; the encoder embeds both views")
    print(f"{bundle.path / PICTURES}: {len(chosen)} pictures of {len(args.sources)} sources, set {sha256[:12]}")


if __name__ == "__main__":
    sys.exit(main())
