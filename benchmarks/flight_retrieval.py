"""Retrieval alone on a recorded flight: how often is the right tile among the first?

    python benchmarks/flight_retrieval.py FLIGHT --tiles AREA.tiles [--bundle NAME.bundle]
        [--distractors PICTURES --count 50000]

No start, no registration, no filter: each frame is searched in the whole cache. Right is a tile with its centre within
25 m (50 m) of the ground at the picture's centre: among the rows most like the frame, and among the candidates that the
localizer takes from them, no two nearer than half a footprint. With --distractors, tiles of other places stand in the
cache too: random squares of the pictures in a folder, turned at random.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runtime.flights.flight import Flight
from runtime.flights.truth import read_truth
from runtime.geo.local import LocalFrame, distance_m
from runtime.geo.mercator import LatLon
from runtime.locate.ground_view import ground_views, unusable
from runtime.locate.mount import MountEstimate
from runtime.locate.retrieve import Retriever
from runtime.model.engine import Engine
from runtime.model.load import open_engine
from runtime.progress import progress
from runtime.tiles.cache import TileCache
from runtime.tiles.search import Searcher, highest, similarities
from train.data.source import pictures_under, read_picture
from train.data.view_pair import render_views
from train.data.view_spec import ViewSpec

FIRST = (1, 5, 10)
WITHIN_M = (25.0, 50.0)
_UPRIGHT = ViewSpec(footprint_m=(45.0, 128.0), tilt_deg=0.0)
_BATCH, _SHORTLIST = 32, 2560


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("flight", type=Path)
    parser.add_argument("--tiles", type=Path, required=True)
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--distractors", type=Path, metavar="PICTURES", help="a folder of overhead pictures")
    parser.add_argument("--count", type=int, default=50_000, help="of distractors (%(default)s)")
    args = parser.parse_args()
    flight, cache = Flight.open(args.flight), TileCache.open(args.tiles)
    truth = read_truth(args.flight / "truth.csv")
    engine = open_engine(args.bundle, cache.metadata.encoder.precision, 0)
    retriever, searcher = Retriever(cache, engine), Searcher(cache)
    others = distractors(args.distractors, args.count, engine) if args.distractors else None
    off_m: dict[str, list[list[float]]] = {"rows": [], "candidates": []}  # (frames, 10): how far off the first ones are
    for frame in flight.frames():
        true = truth[frame.t_us].ground if frame.t_us in truth else None
        if true is None or unusable(frame, flight.camera):
            continue
        ranked: dict[str, list[tuple[float, float]]] = {name: [] for name in off_m}  # cosine, metres
        for look in ground_views(frame, flight.camera, MountEstimate()):
            level = retriever.level_for(look, look.axis_en_m)
            if level is None:
                continue
            embedding = retriever.embed([(look, look.axis_en_m, level)])
            ranked["candidates"] += nearest_places(cache, searcher, level, embedding, true)
            ranked["rows"] += nearest_rows(cache, level, embedding, true)
            if others is not None:
                above = [(cosine, np.inf) for cosine in np.sort((embedding @ others.T)[0])[-max(FIRST) :].tolist()]
                ranked = {name: [*some, *above] for name, some in ranked.items()}
        for name, answers in ranked.items():
            first = [metres for _, metres in sorted(answers, key=lambda answer: -answer[0])[: max(FIRST)]]
            off_m[name].append(first + [np.inf] * (max(FIRST) - len(first)))
    beside = "" if others is None else f" and {len(others)} of other places"
    print(f"{flight.name}: {len(off_m['rows'])} frames, {len(cache.centre)} tiles{beside}, {engine.name}")
    for name, some in off_m.items():
        for within in WITHIN_M:
            right = np.array(some) <= within
            shares = ", ".join(f"first {k} {right[:, :k].any(axis=1).mean():.0%}" for k in FIRST)
            print(f"  {name} within {within:g} m: {shares}")


def nearest_rows(
    cache: TileCache, level: int, embedding: NDArray[np.float32], true: LatLon
) -> list[tuple[float, float]]:
    """Cosine and distance in metres of the rows most like an embedding."""
    rows = cache.metadata.level_rows(level)
    cosine = similarities(cache, embedding, rows)[0]
    first = np.argsort(-cosine, kind="stable")[: max(FIRST)]
    places = cache.centre[rows][first].tolist()
    return [(float(cosine[k]), distance_m(true, LatLon(*place))) for k, place in zip(first, places, strict=True)]


def nearest_places(
    cache: TileCache, searcher: Searcher, level: int, embedding: NDArray[np.float32], true: LatLon
) -> list[tuple[float, float]]:
    """Cosine and distance in metres of the tiles most like an embedding, no two nearer than half a footprint."""
    rows, apart_m, frame = cache.metadata.level_rows(level), cache.footprints_m[level] / 2, LocalFrame(true)
    scanned = searcher.scan(embedding, rows)[0]
    for count in (_SHORTLIST, len(scanned)):
        short = np.sort(highest(scanned, count)) + rows.start
        cosine = searcher.exact(embedding[0], short)
        off_m = np.array([frame.to_en(LatLon(*place)) for place in cache.centre[short].tolist()])
        chosen: list[int] = []
        for one in np.argsort(-cosine, kind="stable").tolist():
            if (np.abs(off_m[chosen] - off_m[one]).max(axis=1) >= apart_m).all():
                chosen.append(one)
                if len(chosen) == max(FIRST):
                    break
        if len(chosen) == max(FIRST):
            break
    return [(float(cosine[k]), float(np.hypot(*off_m[k]))) for k in chosen]


def distractors(folder: Path, count: int, engine: Engine) -> NDArray[np.float32]:  # (count, D)
    """Embeddings of random squares of all pictures in a folder, as a map of those places would hold them."""
    pictures, rng, rows = pictures_under(folder), np.random.default_rng(0), []
    with progress("distractors") as tick:
        for start in range(0, count, _BATCH):
            some = [pictures[k % len(pictures)] for k in range(start, min(start + _BATCH, count))]
            squares = [
                render_views(read_picture(p), 0.3, rng, side_px=engine.side_px, spec=_UPRIGHT).tile for p in some
            ]
            rows.append(engine.embed(np.stack(squares)))
            tick(start + len(some), count)
    return np.concatenate(rows)


if __name__ == "__main__":
    main()
