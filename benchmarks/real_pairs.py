"""Real satellite pictures against real drone pictures of one site, in other seasons, not registered: retrieval alone.

    python benchmarks/real_pairs.py DATA/pairs/akagi_sat_vs_uav ENCODER [ENCODER ...]

The folder holds ``a/`` (satellite) and ``b/`` (drone) by equal names; an ENCODER is a checkpoint, a bundle, or
``imagenet``. Several names may show the same satellite picture: an answer is right where its picture is the right one.
Each way is told twice: pictures as they are, and less what all the others have in common, as a flight's frames are.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from place_recognition import open_named

from runtime.files import sha256_of
from runtime.locate.domain import DomainMean
from train.data.source import pictures_under, read_picture
from train.data.sources.whole_pictures import square


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("encoders", nargs="+")
    parser.add_argument("--precision", choices=("fp32", "int8"), help="of bundles")
    args = parser.parse_args()
    satellites = pictures_under(args.folder / "a")
    drones = [args.folder / "b" / path.name for path in satellites]
    picture_of = np.unique([sha256_of(path) for path in satellites], return_inverse=True)[1]
    same = picture_of[:, None] == picture_of
    print(f"{len(drones)} drone pictures, {len(np.unique(picture_of))} different satellite pictures")
    for name in args.encoders:
        embed, side_px = open_named(name, args.precision, None)
        tile, drone = (
            embed(np.stack([square(read_picture(p), side_px) for p in some])) for some in (satellites, drones)
        )
        for way, asked, rows in (("drone -> satellite", drone, tile), ("satellite -> drone", tile, drone)):
            for how, queries in (("as they are", asked), ("less what is common", less_common(asked, rows))):
                order = np.argsort(-(queries @ rows.T), axis=1, kind="stable")
                found = np.take_along_axis(same, order, axis=1)
                told = "  ".join(f"R@{k} {found[:, :k].any(axis=1).mean():.1%}" for k in (1, 5, 10))
                print(f"{name}, {side_px} px, {way}, {how}: {told}")


def less_common(
    asked: NDArray[np.float32],  # (N, D)
    rows: NDArray[np.float32],  # (M, D)
) -> NDArray[np.float32]:  # (N, D)
    """Each picture as it would be searched for at the end of a flight over all the others."""
    best, queries = (asked @ rows.T).max(axis=1).tolist(), []
    for k in range(len(asked)):
        domain = DomainMean()
        for other in np.arange(k + 1, k + len(asked)) % len(asked):
            domain = domain.learned([asked[other]], best[other])
        queries.append(domain.taken_out(asked[k : k + 1])[0])
    return np.array(queries)


if __name__ == "__main__":
    main()
