"""python -m runtime.tiles build | info | verify | align | crop | merge | key | sign"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from runtime.command import add_verbose, run_command
from runtime.model.manifest import PRECISIONS
from runtime.start import keep_option_value, parse_start
from runtime.tiles.options import ACCURACY_CE90_M, FOOTPRINTS_M


def main(argv: list[str] | None = None) -> int:
    """Run one of the subcommands. Exit code: 0 done, 1 an error reported in one line, 2 usage."""
    args = _parser().parse_args(keep_option_value(argv, "--around"))
    return run_command("runtime.tiles", lambda: _run(args), verbose=args.verbose)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m runtime.tiles",
        description="Tile caches: what a map looks like to the encoder, ready to be searched in flight.",
    )
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="build | info | verify | align | crop | merge | key | sign"
    )
    _add_build(commands)
    _add_info_and_verify(commands)
    _add_align(commands)
    _add_crop_and_merge(commands)
    _add_key_and_sign(commands)
    for command in commands.choices.values():
        add_verbose(command)
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
    build.add_argument("--precision", choices=PRECISIONS, help="left out: the bundle's floating graph")
    usual = " ".join(f"{side_m:g}" for side_m in FOOTPRINTS_M)
    build.add_argument(
        "--footprints", type=float, nargs="+", metavar="M", help=f"tile sides in metres, one a level (default {usual})"
    )
    build.add_argument("--stride", type=float, metavar="M", help="between tiles; left out: a quarter of each footprint")
    _add_map_facts(build)
    _add_workers(build)


def _add_map_facts(build: argparse.ArgumentParser) -> None:
    """Add what a map does not say of itself."""
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
        default=ACCURACY_CE90_M,
        metavar="M",
        help="how well the map is placed on Earth, CE90 in metres (default %(default)s); bounds every fix's covariance",
    )
    build.add_argument(
        "--dem",
        type=Path,
        metavar="DEM.tif",
        help="heights of the ground in metres, a GeoTIFF of any CRS: on hills positions are off without",
    )


def _add_workers(build: argparse.ArgumentParser) -> None:
    """Add where windows are embedded."""
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
            command.add_argument("--json", action="store_true", help="one JSON object, for programs")
        else:
            command.add_argument("--public-key", type=Path, metavar="KEY.pub", help="check the signature too")


def _add_align(commands: Any) -> None:
    align = commands.add_parser(
        "align",
        help="find how far the map is off, by flights with GNSS that is right",
        description="Fly recorded flights over the cache, compare their fixes with truth.csv (GNSS that somebody "
        "trusts: recorded, checked, never live), and write the one shift that they agree on into the cache. It is "
        "taken out of every fix from then on.",
        epilog="example: python -m runtime.tiles align town.tiles --flight survey --map residuals.png",
    )
    align.add_argument("cache", type=Path, metavar="AREA.tiles")
    align.add_argument("--flight", type=Path, action="append", required=True, help="as often as you like")
    align.add_argument("--bundle", type=Path, help="encoder bundle; left out: the default encoder")
    align.add_argument("--matcher", type=Path, help="bundle of local features; left out: the encoder bundle's own")
    align.add_argument("--key", type=Path, metavar="KEY", help="sign the cache anew")
    align.add_argument("--map", type=Path, metavar="picture.png", help="draw the residuals")
    align.add_argument("--threads", type=int, default=0, help="for the networks; 0: one a core")


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


def _run(args: argparse.Namespace) -> None:
    """Call the library; it loads here, so that ``--help`` is instant."""
    if args.command == "build":
        _build(args)
        return
    if args.command == "align":
        from runtime.align.commands import AlignOptions, run_align

        run_align(args.cache, args.flight, AlignOptions(args.bundle, args.matcher, args.key, args.map, args.threads))
        return
    from runtime.tiles import commands

    match args.command:
        case "info":
            commands.run_info(args.cache, args.map, as_json=args.json)
        case "verify":
            commands.run_verify(args.cache, args.bundle, args.public_key)
        case "crop":
            around = parse_start(args.around, "--around", "47.51,8.23,3000")
            commands.run_crop(args.cache, around.place, around.radius_m, args.out)
        case "merge":
            commands.run_merge(args.caches, args.out)
        case "key":
            commands.run_key(args.key)
        case "sign":
            commands.run_sign(args.cache, args.key)


def _build(args: argparse.Namespace) -> None:
    from runtime.tiles.building.command import BuildCommand, run_build
    from runtime.tiles.building.spec import BuildSpec

    footprints = {"footprints_m": tuple(args.footprints)} if args.footprints else {}
    run_build(
        BuildCommand(
            imagery=tuple(args.imagery),
            out=args.out,
            spec=BuildSpec(**footprints, stride_m=args.stride, accuracy_ce90_m=args.accuracy),
            date=tuple(args.date),
            attribution=tuple(args.attribution),
            bundle=args.bundle,
            precision=args.precision,
            dem=args.dem,
            workers=args.workers,
            threads=args.threads,
            ray=args.ray,
        )
    )


if __name__ == "__main__":
    sys.exit(main())
