"""How well does an encoder recognise places that it has never seen? By retrieval alone, on three kinds of pictures.

    python benchmarks/place_recognition.py DATA ENCODER [ENCODER ...] [--dim 256] [--json scores.json]

DATA holds ``overhead/`` and ``pairs/`` with their manifests; an ENCODER is a checkpoint, a bundle, or ``imagenet``.

- *rendered*: held-out chips whose weights may ship, one query each, among their tiles and 2,000 tiles of other places.
  Tilt to 45 degrees, yaw wrong by up to 15, altitude by up to 15%; light, season and sensor changed at half strength
  and at full strength, in query and tile alike.
- *near misses*: pictures of sources that were never trained on, each cut into 25 overlapping tiles, a quarter of a
  footprint apart as in a cache. Right is a tile within 0.2 footprints (25 m of 128 m): its neighbours are wrong.
- *two dates*: the same, with the query of one date and the tiles of another, 5 to 14 years apart. No change is
  drawn: what differs is what differed.

The last two choose between recipes; no flight is looked at.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runtime.model.preprocess import encoder_input
from runtime.types import Embed, Picture
from train.data.source import read_picture
from train.data.view_pair import Ground, render_views, shift, views_of
from train.data.view_spec import ViewSpec
from train.render.augment import augment
from train.scoring.open_encoder import open_encoder

SEED, DISTRACTORS, FIRST = 45, 2000, (1, 5)
POSE = ViewSpec(tilt_deg=45.0, offset=0.0)  # all other errors as in training
TILES_ACROSS, RIGHT_WITHIN = 5, 0.2  # of a sheet; of a footprint
CALLED_M = 128.0  # the side of a footprint where a picture's scale is unknown: only ratios count
_BATCH = 32


@dataclass(frozen=True)
class Sheet:
    """A picture to be mapped, and the same ground to be flown over."""

    mapped: Path
    flown: Path


@dataclass(frozen=True)
class Asked:
    """A retrieval set: each query, each tile, and which answers are right."""

    name: str
    queries: NDArray[np.uint8]  # (Q, S, S, 3)
    tiles: NDArray[np.uint8]  # (T, S, S, 3)
    right: NDArray[np.bool_]  # (Q, T)

    def scores(self, embed: Embed) -> dict[str, float]:
        """Share of queries with a right tile among the first."""
        order = np.argsort(-(_all(embed, self.queries) @ _all(embed, self.tiles).T), axis=1, kind="stable")
        found = np.take_along_axis(self.right, order, axis=1)
        return {f"R@{k}": float(found[:, :k].any(axis=1).mean()) for k in FIRST}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("encoders", nargs="+")
    parser.add_argument("--precision", choices=("fp32", "int8"), help="of bundles")
    parser.add_argument("--side", type=int, help="picture side in place of the encoder's own (checkpoints alone)")
    parser.add_argument("--dim", type=int, help="keep the first numbers of an embedding")
    parser.add_argument("--json", type=Path, help="write the scores there too")
    args = parser.parse_args()
    asked: dict[int, list[Asked]] = {}
    table = {}
    for name in args.encoders:
        embed, own_px = open_named(name, args.precision, args.dim)
        side_px = args.side or own_px
        if side_px not in asked:
            asked[side_px] = [*rendered(args.data, side_px), *dense(args.data, side_px)]
        scores = {one.name: one.scores(embed) for one in asked[side_px]}
        table[name] = {"side_px": side_px, **scores}
        print(f"{name}, {side_px} px{f', {args.dim}-D' if args.dim else ''}")
        for one in asked[side_px]:
            told = "  ".join(f"{k} {share:.1%}" for k, share in scores[one.name].items())
            print(f"  {one.name:<24} {told}   ({len(one.queries)} queries, {len(one.tiles)} tiles)", flush=True)
    if args.json:
        args.json.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")


def rendered(data: Path, side_px: int) -> Iterator[Asked]:
    """Held-out chips among tiles of other places, at two strengths of change."""
    chips = [(p, g) for p, g, row in _listed(data) if row["split"] == "val" and row["may_ship"] == "yes"]
    others = [(p, g) for p, g, row in _listed(data) if row["may_ship"] != "yes"]
    for strength in (0.5, 1.0):
        rng = np.random.default_rng(SEED)
        views = [render_views(read_picture(p), g, rng, side_px=side_px, spec=POSE) for p, g in chips]
        queries = [encoder_input(augment(v.drone, rng, strength), v.drone_seen, side_px) for v in views]
        tiles = [augment(v.tile, rng, strength) for v in views]
        for k in range(DISTRACTORS):
            path, gsd_m = others[k % len(others)]
            tile = render_views(read_picture(path), gsd_m, rng, side_px=side_px, spec=POSE).tile
            tiles.append(augment(tile, rng, strength))
        right = np.arange(len(queries))[:, None] == np.arange(len(tiles))
        yield Asked(f"rendered, change {strength:g}", np.stack(queries), np.stack(tiles), right)


def dense(data: Path, side_px: int) -> Iterator[Asked]:
    """Near misses on one date, changed, and on two dates as they are."""
    one_date = [Sheet(p, p) for p, _, row in _listed(data) if row["split"] == "val" and row["may_ship"] != "yes"]
    yield _cut("near misses", one_date, side_px, queries=2, strength=0.5)
    registered = [row for row in _rows(data / "pairs") if row["note"].startswith("registered; ")]
    kinds = ("levir_cd_samples", "dsifn_samples")
    pairs = [[data / "pairs" / row[k] for k in "ab"] for row in registered if row["source"] in kinds]
    # Each way a set of its own: in one with both, the very picture that is flown would be mapped too.
    yield _cut("two dates", [Sheet(a, b) for a, b in pairs], side_px, queries=16, strength=0.0)
    yield _cut("two dates, back", [Sheet(b, a) for a, b in pairs], side_px, queries=16, strength=0.0)


def _cut(name: str, sheets: Sequence[Sheet], side_px: int, *, queries: int, strength: float) -> Asked:
    """Sheets cut into tiles, and queries anywhere between the outermost ones."""
    rng = np.random.default_rng(SEED)
    drones, tiles, asked_at, tile_at = [], [], [], []
    for number, sheet in enumerate(sheets):
        flown, mapped = read_picture(sheet.flown), read_picture(sheet.mapped)
        short_px = min(mapped.shape[:2])
        gsd_m = 2 * CALLED_M / short_px  # a footprint is half of the shorter side
        reach = CALLED_M / 2
        for east, north in np.stack(np.meshgrid(*[np.linspace(-reach, reach, TILES_ACROSS)] * 2), -1).reshape(-1, 2):
            views = views_of(_ground(mapped, mapped, gsd_m, east, north), CALLED_M, rng, side_px=side_px, spec=POSE)
            tiles.append(augment(views.tile, rng, strength))
            tile_at.append((number, east, north))
        for east, north in rng.uniform(-reach, reach, (queries, 2)):
            views = views_of(_ground(flown, mapped, gsd_m, east, north), CALLED_M, rng, side_px=side_px, spec=POSE)
            drones.append(encoder_input(augment(views.drone, rng, strength), views.drone_seen, side_px))
            asked_at.append((number, east, north))
    at, places = np.array(asked_at), np.array(tile_at)
    away_m = np.linalg.norm(at[:, None, 1:] - places[None, :, 1:], axis=2)
    right = (at[:, None, 0] == places[None, :, 0]) & (away_m <= RIGHT_WITHIN * CALLED_M)
    return Asked(name, np.stack(drones), np.stack(tiles), right)


def _ground(flown: Picture, mapped: Picture, gsd_m: float, east_m: float, north_m: float) -> Ground:
    """A sheet with its middle moved to a place on it."""
    height, width = mapped.shape[:2]
    middle = shift((width - 1) / 2, (height - 1) / 2)
    pixel_from_ground = middle @ np.diag([1 / gsd_m, -1 / gsd_m, 1.0]) @ shift(east_m, north_m)
    return Ground(_like(flown, mapped), mapped, pixel_from_ground, gsd_m)


def _like(picture: Picture, other: Picture) -> Picture:
    import cv2

    return np.asarray(cv2.resize(picture, other.shape[1::-1], interpolation=cv2.INTER_AREA), np.uint8)


def _listed(data: Path) -> list[tuple[Path, float, dict[str, str]]]:
    """Path, metres a pixel (0.4 where unknown) and line of each overhead picture."""
    return [(data / "overhead" / r["image"], float(r["gsd_m"] or 0.4), r) for r in _rows(data / "overhead")]


def _rows(folder: Path) -> list[dict[str, str]]:
    for path in (folder / "manifest.csv", folder.parent / f"{folder.name}_manifest.csv"):
        if path.is_file():
            with path.open(newline="", encoding="utf-8") as file:
                return list(csv.DictReader(file))
    raise SystemExit(f"{folder} has no manifest.csv")


def open_named(name: str, precision: str | None, dim: int | None) -> tuple[Embed, int]:
    """A checkpoint, a bundle, or ImageNet's weights with pooled features; and the side of its pictures."""
    if name == "imagenet":
        name = str(imagenet_bundle(Path(tempfile.mkdtemp()) / "imagenet.bundle"))
    opened = open_encoder(Path(name), precision, dim=dim)
    return opened.embed, opened.side_px


def imagenet_bundle(out: Path) -> Path:
    """A bundle of the backbone as ImageNet left it: its head is a rotation, which changes no cosine."""
    from export.bundles.encoder import export_encoder
    from train.model.encoder import Encoder, EncoderSpec

    spec = EncoderSpec(dim=1280, side_px=224)  # as many numbers as there are features
    export_encoder(Encoder(spec), out, training={}, licence="Apache-2.0", small=True)
    return out


def _all(embed: Embed, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.concatenate([embed(pictures[i : i + _BATCH]) for i in range(0, len(pictures), _BATCH)])


if __name__ == "__main__":
    main()
