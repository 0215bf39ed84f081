"""python -m runtime.tiles build | info | verify | crop | merge | key | sign"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from runtime.command import run_command
from runtime.errors import CacheError, SettingsError
from runtime.start import keep_option_value


def main(argv: list[str] | None = None) -> int:
    args = _parser().parse_args(keep_option_value(argv, "--around"))
    command = {
        "build": _build, "info": _info, "verify": _verify, "crop": _crop, "merge": _merge, "key": _key, "sign": _sign
    }[args.command]  # fmt: skip
    return run_command("runtime.tiles", lambda: command(args))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m runtime.tiles",
        description="Tile caches: what a map looks like to the encoder, ready to be searched in flight.",
    )
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="build | info | verify | crop | merge | key | sign"
    )
    _add_build(commands)
    _add_info_and_verify(commands)
    _add_crop_and_merge(commands)
    _add_key_and_sign(commands)
    return parser


def _add_build(commands: Any) -> None:
    build = commands.add_parser(
        "build",
        help="make a cache from a map",
        description="Read a map, embed it window by window, and write AREA.tiles with AREA.mbtiles beside it. "
        "A build that was ended goes on when the same command is given again.",
        epilog="example: python -m runtime.tiles build --imagery map.tif --out town.tiles",
    )
    build.add_argument(
        "--imagery",
        type=Path,
        nargs="+",
        required=True,
        metavar="MAP",
        help="GeoTIFF of any CRS, MBTiles, PMTiles or XYZ folder; of several the first that shows a place is taken",
    )
    build.add_argument("--out", type=Path, required=True, metavar="AREA.tiles")
    build.add_argument("--bundle", type=Path, help="encoder bundle; left out: the default encoder")
    build.add_argument("--precision", choices=("fp32", "fp16", "int8"), help="left out: the bundle's floating graph")
    build.add_argument("--footprints", type=float, nargs="+", metavar="M", help="tile sides in metres, one a level")
    build.add_argument("--stride", type=float, metavar="M", help="between tiles; left out: a quarter of each footprint")
    build.add_argument("--date", nargs="+", default=[""], help="when the imagery was taken: once, or once a map")
    build.add_argument(
        "--attribution",
        nargs="+",
        default=[""],
        help="whom its licence asks you to name: once, or once a map",
    )
    build.add_argument(
        "--accuracy",
        type=float,
        default=8.5,
        metavar="M",
        help="how well the map is placed on Earth, CE90 in metres (default 8.5); it bounds every fix's covariance",
    )
    build.add_argument(
        "--dem",
        type=Path,
        metavar="DEM.tif",
        help="heights of the ground in metres, a GeoTIFF of any CRS: on hills positions are off without",
    )
    build.add_argument("--workers", type=int, default=0, help="read and embed side by side; 0: one a core")
    build.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="embed on a Ray cluster, for areas beyond one machine: host:port, auto or local",
    )
    build.add_argument("--threads", type=int, default=0, help="of the encoder for each worker; 0: one, on a CPU")


def _add_info_and_verify(commands: Any) -> None:
    for name, text in (("info", "what a cache holds"), ("verify", "check its hashes, its map's and sampled rows")):
        command = commands.add_parser(name, help=text, description=text.capitalize() + ".")
        command.add_argument("cache", type=Path, metavar="AREA.tiles")
        command.add_argument("--bundle", type=Path, help="encoder bundle; left out: the default encoder")
        if name == "info":
            command.add_argument(
                "--map", type=Path, metavar="picture.png", help="draw the map and what each level covers"
            )
        else:
            command.add_argument("--public-key", type=Path, metavar="KEY.pub", help="check the signature too")


def _add_crop_and_merge(commands: Any) -> None:
    crop = commands.add_parser(
        "crop",
        help="cut a mission area out of a cache",
        description="Write the tiles and the imagery around a place as a cache of its own; no encoder is needed.",
        epilog="example: python -m runtime.tiles crop country.tiles --around 47.51,8.23,3000 --out mission.tiles",
    )
    crop.add_argument("cache", type=Path, metavar="AREA.tiles")
    crop.add_argument("--around", required=True, metavar="LAT,LON,RADIUS_M", help="what to keep")
    crop.add_argument("--out", type=Path, required=True, metavar="MISSION.tiles")
    merge = commands.add_parser(
        "merge",
        help="make one cache of several",
        description="Put caches of one encoder and the same levels together, with their maps. Of rows of the same "
        "place the first cache's is kept. Pieces of a map that overlap by a footprint give the rows of the whole.",
        epilog="example: python -m runtime.tiles merge north.tiles south.tiles --out country.tiles",
    )
    merge.add_argument("caches", type=Path, nargs="+", metavar="AREA.tiles")
    merge.add_argument("--out", type=Path, required=True, metavar="MERGED.tiles")


def _add_key_and_sign(commands: Any) -> None:
    text = "make a key pair to sign caches with: KEY, for you alone, and KEY.pub, for the aircraft"
    commands.add_parser("key", help=text, description=text).add_argument("key", type=Path, metavar="KEY")
    text = "sign a cache and the map beside it: writes AREA.tiles.sig"
    sign = commands.add_parser("sign", help=text, description=text)
    sign.add_argument("cache", type=Path, metavar="AREA.tiles")
    sign.add_argument("--key", type=Path, required=True, metavar="KEY", help="of python -m runtime.tiles key")


def _build(args: argparse.Namespace) -> None:
    from runtime.tiles.building.command import build_command

    build_command(args)


def _info(args: argparse.Namespace) -> None:
    from runtime.tiles.cache import TileCache
    from runtime.tiles.info import print_info

    cache = TileCache.open(args.cache)
    print_info(cache)
    if args.map:
        from runtime.tiles.coverage import draw_coverage

        draw_coverage(cache, args.map)
        print(f"wrote {args.map}")


def _verify(args: argparse.Namespace) -> None:
    from runtime.model.load import open_engine
    from runtime.tiles.cache import TileCache
    from runtime.tiles.verify import worst_cosine

    cache = TileCache.open(args.cache)
    if args.public_key:
        from runtime.tiles.sign import check_signature

        check_signature(cache, args.public_key)
        print(f"{cache.path}: signed by the owner of {args.public_key}")
    engine = open_engine(args.bundle, cache.metadata["encoder"]["precision"], 0)
    cache.check_engine(engine)
    worst = worst_cosine(cache, cache.open_imagery(), engine)
    print(f"{cache.path}: hashes good; sampled tiles embed to themselves, worst cosine {worst:.5f}")


def _crop(args: argparse.Namespace) -> None:
    from runtime.geo.mercator import LatLon
    from runtime.start import checked_start
    from runtime.tiles.cache import TileCache
    from runtime.tiles.crop import crop

    try:
        lat, lon, radius_m = (float(part) for part in args.around.split(","))
    except ValueError:
        raise SettingsError(f"--around is {args.around!r}, expected LAT,LON,RADIUS_M like 47.51,8.23,3000") from None
    checked_start(lat, lon, radius_m, "--around")
    _check_out(args.out, [args.cache])
    kept = crop(TileCache.open(args.cache), LatLon(lat, lon), radius_m, args.out)
    sizes = " + ".join(f"{p.stat().st_size / 1e6:.2f} MB" for p in (args.out, args.out.with_suffix(".mbtiles")))
    print(f"{args.out}: {kept} tiles within {radius_m:g} m of {lat:g},{lon:g}; {sizes}, its map beside it")


def _merge(args: argparse.Namespace) -> None:
    from runtime.progress import progress
    from runtime.tiles.cache import TileCache
    from runtime.tiles.merge import merge

    _check_out(args.out, args.caches)
    with progress("map") as tick:
        rows = merge([TileCache.open(path) for path in args.caches], args.out, tick)
    print(f"{args.out}: {rows} tiles of {len(args.caches)} caches, its map beside it")


def _check_out(out: Path, sources: list[Path]) -> None:
    same = [path for path in sources if path.resolve() == out.resolve()]
    if out.suffix != ".tiles" or same:
        raise CacheError(f"--out {out} must end in .tiles and be another file than {(same or sources)[0]}")


def _key(args: argparse.Namespace) -> None:
    from runtime.tiles.sign import make_key

    public = make_key(args.key)
    print(f"{args.key}: keep it to yourself; {public}: give it to whoever checks, --public-key {public}")


def _sign(args: argparse.Namespace) -> None:
    from runtime.tiles.cache import TileCache
    from runtime.tiles.sign import sign_cache

    print(f"wrote {sign_cache(TileCache.open(args.cache), args.key)}")


if __name__ == "__main__":
    sys.exit(main())
