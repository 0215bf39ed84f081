"""``python -m calib.score``: what a similarity is worth, from recorded flights, for a bundle to fly with."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runtime.command import run_command
from runtime.errors import DataError, SettingsError

if TYPE_CHECKING:
    from calib.score.judge import Judged
    from calib.score.queries import Gathered, Query
    from runtime.flights.flight import Flight
    from runtime.model.engine import Engine
    from runtime.model.score_map import ScoreMap
    from runtime.tiles.cache import TileCache

_LEAST_FRAMES = 30  # of fewer, one frame more or less moves the outlier share by several points
_MOST_OUTLIERS = 0.9

_EPILOG = """\
What it fits: of N tiles with cosines s, the one that a frame shows has probability
  p = (1 - e) softmax(s / T) + e / N
T, the temperature, says how much a cosine is worth; e, the outlier share, how often cosines say nothing.
A frame is used where its true_ground_lat and true_ground_lon, altitude, pitch and yaw are known.

Give flights over several places: each is judged by a fit to the others. Of one flight alternate blocks are held out.
Calibrate on flights that you will not report accuracy on.

Examples:
  python -m calib.score flights/one --tiles town.tiles --out score.json
  python -m calib.score flights/one flights/two --tiles town.tiles valley.tiles --bundle my.bundle --out score.json

Beside score.json lie score.reliability.png and score.similarity.png. With --bundle the fit is stored in the bundle too,
where replay and daemon find it; it is not where held-out frames are told no better by it than without."""


def main(argv: list[str] | None = None) -> int:
    """Fit, judge, write; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m calib.score",
        description="Fit how probable a tile is, given its similarity to a frame, on recorded flights with truth.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("flights", nargs="+", type=Path, metavar="FLIGHT", help="recorded flights with a truth.csv")
    parser.add_argument(
        "--tiles", nargs="+", type=Path, required=True, metavar="AREA.tiles", help="one for all flights, or one each"
    )
    parser.add_argument("--bundle", type=Path, metavar="NAME.bundle", help="encoder; the fit is stored in it. "
                        "Left out: the default encoder, and nothing is stored")  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, metavar="JSON", help="what was found")
    parser.add_argument("--threads", type=int, default=0, help="for the network; 0: one a core")
    args = parser.parse_args(argv)
    if len(args.tiles) not in (1, len(args.flights)):
        parser.error(f"{len(args.tiles)} --tiles for {len(args.flights)} flights: give one for all, or one each")
    return run_command("calib.score", lambda: _run(args))


def _run(args: argparse.Namespace) -> None:
    from calib.drawing import write_picture
    from calib.score.fit import fit
    from calib.score.judge import judge, judge_held_out
    from calib.score.pictures import reliability_picture, similarity_picture
    from calib.score.queries import check_enough
    from calib.score.store import listed, store, write_scores
    from runtime.locate.retrieve import UNFITTED
    from runtime.model.load import open_engine

    if args.out.suffix != ".json":
        raise SettingsError(f"{args.out} must end in .json")
    flights, caches = _opened(args.flights, args.tiles)
    engine = open_engine(args.bundle, caches[0].metadata.encoder.precision, args.threads)
    gathered = _gathered(flights, caches, engine)
    check_enough(gathered, _LEAST_FRAMES)
    queries = [query for one in gathered for query in one.queries]
    found = fit(queries)
    _check_fit(found, queries)
    after, how = judge_held_out([one.queries for one in gathered])
    before = judge(UNFITTED, queries)

    pictures = {"reliability": reliability_picture(before, after, how), "similarity": similarity_picture(queries)}
    for name, picture in pictures.items():
        write_picture(picture, args.out.with_suffix(f".{name}.png"))
    entry = {
        "temperature": round(found.temperature, 6),
        "outlier_share": round(found.outlier_share, 6),
        "encoder_sha256": engine.encoder_sha256,
        "flights": listed(flights, caches, gathered),
        "held_out": {"how": how, "frames": len(queries), "default": before.summary(), "fitted": after.summary()},
    }
    write_scores(args.out, {engine.precision: entry})
    _tell(args.out, entry)
    if args.bundle:
        _check_better(args.bundle, before, after)
        print(f"  stored in        {store(args.bundle, engine.precision, entry)}, for {engine.precision}")


def _opened(paths: Sequence[Path], tiles: Sequence[Path]) -> tuple[list[Flight], list[TileCache]]:
    """The flights and the cache of each."""
    from runtime.flights.flight import Flight
    from runtime.tiles.cache import TileCache

    twice = [path for i, path in enumerate(paths) if path.resolve() in [p.resolve() for p in paths[:i]]]
    if twice:
        raise SettingsError(f"{twice[0]} is given twice: a flight cannot be held out from itself")
    caches = {path: TileCache.open(path) for path in tiles}
    of_flight = list(tiles) if len(tiles) > 1 else list(tiles) * len(paths)
    return [Flight.open(path) for path in paths], [caches[path] for path in of_flight]


def _gathered(flights: Sequence[Flight], caches: Sequence[TileCache], engine: Engine) -> list[Gathered]:
    from calib.score.queries import gather
    from runtime.flights.truth import read_truth
    from runtime.progress import progress

    truths = [read_truth(flight.path / "truth.csv") for flight in flights]
    for cache in caches:
        cache.check_engine(engine)
    done, total = 0, sum(len(flight.images) for flight in flights)
    with progress("frames") as show:

        def tick() -> None:
            nonlocal done
            done += 1
            show(done, total)

        return [gather(*one, engine, tick) for one in zip(flights, truths, caches, strict=True)]


def _check_fit(found: ScoreMap, queries: Sequence[Query]) -> None:
    """Raises DataError where similarities say nothing of the place."""
    from calib.score.fit import WARMEST

    right = sum(query.place_is_right for query in queries)
    if right == 0 or found.outlier_share > _MOST_OUTLIERS or found.temperature > 0.99 * WARMEST:
        raise DataError(
            f"the best tile is right in {right} of {len(queries)} frames, outlier share {found.outlier_share:.2f}: "
            "similarities say nothing here; is it the right map and camera.yaml, is cam_yaw_deg clockwise from true "
            "north, cam_pitch_deg -90 straight down? Look at the flight: python -m runtime.replay --map"
        )


def _check_better(bundle: Path, before: Judged, after: Judged) -> None:
    """Raises DataError where the fit does not help frames that it has not seen."""
    if not after.nll.mean() < before.nll.mean():
        raise DataError(
            f"{bundle} is left as it was: on held-out frames the fit (NLL {after.nll.mean():.3f}) is no better than "
            f"the default (NLL {before.nll.mean():.3f}); the default will do, or give more flights, over more places"
        )


def _tell(out: Path, entry: Mapping[str, Any]) -> None:
    flights, held_out = entry["flights"], entry["held_out"]
    print(f"{out}: {held_out['frames']} of {sum(one['frames'] for one in flights)} frames;", end=" ")
    print("beside it what to look at, .reliability.png and .similarity.png")
    for one in flights:
        for reason, count in one["left_out"].items():
            print(f"  left out         {count} of {one['name']}: {reason}")
    print(f"  temperature      {entry['temperature']:.4f}")
    print(f"  outlier share    {entry['outlier_share']:.3f}")
    print(f"  judged           {held_out['how']}")
    for name in ("default", "fitted"):
        judged = held_out[name]
        said = f"places said {judged['mean_probability']:.0%}, were right {judged['right']:.0%}"
        print(f"  {name:<16} NLL {judged['nll']:.3f} nats, ECE {judged['ece']:.3f}: {said}")


if __name__ == "__main__":
    sys.exit(main())
