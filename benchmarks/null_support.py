"""How well do wrong places fit? The evidence behind ``Limits.min_support_alone``.

    python benchmarks/null_support.py FLIGHT --tiles ANOTHER_PLACE.tiles [--rounds 5]

Every frame is registered at random places of a map that does not show it. The supports of those fits are what chance
gives; a threshold above all of them keeps wrong fixes out.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from runtime.flights.flight import Flight
from runtime.geo.mercator import Metres, to_latlon
from runtime.locate.features import LocalFeatures
from runtime.locate.ground_view import ground_views
from runtime.locate.mount import MountEstimate
from runtime.locate.registration import Registrar
from runtime.model.bundle import DEFAULT_BUNDLE, Bundle
from runtime.tiles.cache import TileCache


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("flight", type=Path)
    parser.add_argument("--tiles", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--matcher", type=Path, help="a matcher's bundle, such as XFeat's; left out: the default one")
    args = parser.parse_args()
    features = LocalFeatures(Bundle.open(args.matcher, "matcher") if args.matcher else Bundle.open(DEFAULT_BUNDLE))
    flight, imagery = Flight.open(args.flight), TileCache.open(args.tiles).open_imagery()
    registrar = Registrar(imagery, features)
    rng = np.random.default_rng(0)
    support = []
    for frame in flight.frames():
        for look in ground_views(frame, flight.camera, MountEstimate()):
            points = registrar.points(look, look.middle_en_m, look.side_m, lat=imagery.bounds.centre.lat)
            for _ in range(args.rounds):
                b = imagery.bounds
                near = to_latlon(Metres(rng.uniform(b.west, b.east), rng.uniform(b.south, b.north)))
                fit = registrar.register(points, near, reach_m=45.0)
                support.append(0 if fit is None else fit.support)
    quantiles = ", ".join(f"{q}%: {np.percentile(support, q):.0f}" for q in (50, 90, 99, 99.9))
    print(f"{flight.name} on {args.tiles.name}: {len(support)} wrong places; support {quantiles}, max {max(support)}")


if __name__ == "__main__":
    main()
