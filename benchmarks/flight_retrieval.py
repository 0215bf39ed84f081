"""Retrieval alone on a recorded flight: how often is the right tile among the first?

    python benchmarks/flight_retrieval.py FLIGHT --tiles AREA.tiles [--bundle NAME.bundle]

No start, no registration, no filter: each frame is searched in the whole cache. Right is a tile with its centre within
25 m (50 m) of the ground at the picture's centre.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from runtime.geo.local import LocalFrame, distance_m
from runtime.locate.look import looks, unusable
from runtime.locate.mount import MountEstimate
from runtime.locate.retrieve import Retriever
from runtime.model.load import open_engine
from runtime.sensors.flight import Flight, read_truth
from runtime.tiles.cache import TileCache

FIRST = (1, 5, 10)
WITHIN_M = (25.0, 50.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("flight", type=Path)
    parser.add_argument("--tiles", type=Path, required=True)
    parser.add_argument("--bundle", type=Path)
    args = parser.parse_args()
    flight, cache = Flight.open(args.flight), TileCache.open(args.tiles)
    truth = read_truth(args.flight / "truth.csv")
    engine = open_engine(args.bundle, cache.metadata["encoder"]["precision"], 0)
    retriever = Retriever(cache, engine, LocalFrame(cache.open_imagery().bounds.centre))
    misses_m = []  # (frames, 10): how far off each of the first candidates is
    for frame in flight.frames():
        true = truth[frame.t_us].ground if frame.t_us in truth else None
        if true is None or unusable(frame, flight.camera):
            continue
        found = []
        for look in looks(frame, flight.camera, MountEstimate()):
            level = retriever.level_for(look.view, look.axis_en_m)
            if level is not None:
                embedding = retriever.embed(look.view, look.axis_en_m, level)
                found += retriever.search(embedding, level, None, max(FIRST))
        found.sort(key=lambda candidate: -candidate.score)
        miss = [distance_m(true, candidate.place) for candidate in found[: max(FIRST)]]
        misses_m.append(miss + [np.inf] * (max(FIRST) - len(miss)))
    off_m = np.array(misses_m)
    print(f"{flight.name}: {len(off_m)} frames, {len(cache.centre)} tiles, {engine.name}")
    for within in WITHIN_M:
        shares = ", ".join(f"first {k} {(off_m[:, :k] <= within).any(axis=1).mean():.0%}" for k in FIRST)
        print(f"  within {within:g} m: {shares}")


if __name__ == "__main__":
    main()
