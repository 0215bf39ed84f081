"""Maps as users have them -- GeoTIFF of any CRS, MBTiles, PMTiles, XYZ folders -- turned into one MBTiles file.

Only this file, ``georeference`` and ``dem`` know rasterio, and import it when a GeoTIFF is read: nothing here runs in
flight, and a map of tiles can be imported without it.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import math
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from runtime.errors import ImageryError
from runtime.files import sha256_of, whole_file
from runtime.geo.mercator import TILE_PX, Tile, metres_per_px, north_west_of
from runtime.maps.georeference import mercator_box, warping
from runtime.maps.imagery import Imagery, decode_tile
from runtime.maps.mbtiles import tiles_over, write_mbtiles, write_tiles
from runtime.maps.pmtiles import pmtiles_tiles
from runtime.types import Mask, Picture, Tick

logger = logging.getLogger(__name__)

MAX_ZOOM = 22
_COLLAR_LEVEL = 8  # JPEG leaves a black collar at up to about this
_COLLAR_PX = 15  # smaller black spots are shadows


def import_imagery(source: Path, out: Path, *, name: str, date: str, attribution: str, tick: Tick) -> Imagery:
    """Write ``source`` as the MBTiles file ``out`` and open it; raises ImageryError."""
    metadata = {"name": name, "format": "jpg", "type": "baselayer", "date": date, "attribution": attribution}
    if source.is_dir():
        write_tiles(out, _xyz_tiles(source, tick), metadata)
    elif source.suffix.lower() == ".mbtiles":
        _copy_mbtiles(source, out)
    elif source.suffix.lower() == ".pmtiles" and source.is_file():
        write_tiles(out, pmtiles_tiles(source, tick), metadata)
    elif source.is_file():
        _import_geotiff(source, out, metadata, tick)
    else:
        raise ImageryError(
            f"{source} is missing; --imagery takes a GeoTIFF, an MBTiles or PMTiles file, or an XYZ folder"
        )
    imagery = open_imported(out, date=date, attribution=attribution)
    logger.debug("imported %s: zoom %d, %.3g m a pixel", source, imagery.zoom, imagery.metres_per_px)
    return imagery


def open_imported(path: Path, *, date: str, attribution: str) -> Imagery:
    """Open a map that was imported; raises ImageryError."""
    imagery = Imagery(path)
    said = {"date": date, "attribution": attribution}  # goes before what an MBTiles file says of itself
    imagery.metadata.update({key: text for key, text in said.items() if text})
    return imagery


def identity(source: Path) -> str:
    """Tell a source from another, or from before: SHA-256 of a file, or of a folder's names and sizes."""
    if source.is_file():
        return sha256_of(source)
    digest = hashlib.sha256()
    for path in sorted(source.rglob("*")):
        digest.update(f"{path.relative_to(source)} {path.stat().st_size}\n".encode())
    return digest.hexdigest()


def _copy_mbtiles(source: Path, out: Path) -> None:
    Imagery(source).close()  # refuses what is no MBTiles file
    if source.resolve() == out.resolve():
        return
    with whole_file(out) as partial:
        shutil.copyfile(source, partial)


def _import_geotiff(source: Path, out: Path, metadata: dict[str, str], tick: Tick) -> None:
    with open_geotiff(source) as dataset, geotiff_errors(source):
        write_mbtiles(out, _geotiff_tiles(dataset, tick), metadata)


def open_geotiff(source: Path) -> Any:
    """Open a rasterio dataset in 8-bit grey or colour that has a place on Earth; raises ImageryError."""
    dataset = open_raster(source)
    _check_geotiff(source, dataset)
    return dataset


def open_raster(source: Path) -> Any:
    """Open a rasterio dataset that has a place on Earth; raises ImageryError."""
    try:
        import rasterio
        from rasterio.errors import NotGeoreferencedWarning
    except ModuleNotFoundError:
        raise ImageryError(f"{source} is a GeoTIFF, and rasterio is not installed: pip install rasterio") from None
    with geotiff_errors(source), warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # we say so ourselves
        dataset = rasterio.open(source)
    if dataset.crs is None or dataset.transform.is_identity:
        raise ImageryError(
            f"{source} has no place on Earth (no CRS or transform): gdal_translate -a_srs EPSG:.. -a_ullr .."
        )
    return dataset


@contextlib.contextmanager
def geotiff_errors(source: Path) -> Iterator[None]:
    """Turn what rasterio cannot read of a GeoTIFF into an ImageryError."""
    from rasterio.errors import RasterioError

    try:
        yield
    except RasterioError as error:
        raise ImageryError(f"{source} cannot be read as a map: {error}") from None


def _check_geotiff(source: Path, dataset: Any) -> None:
    if dataset.dtypes[0] != "uint8":
        raise ImageryError(f"{source} has {dataset.dtypes[0]} pixels, expected 8 bits: gdal_translate -ot Byte -scale")
    if dataset.count == 2 or dataset.count > 4:
        raise ImageryError(
            f"{source} has {dataset.count} bands, expected grey, RGB or RGBA: gdal_translate -b 1 -b 2 -b 3"
        )


def _geotiff_tiles(dataset: Any, tick: Tick) -> Iterator[tuple[Tile, Picture, Mask]]:
    """Yield tiles at the zoom nearest to the map's own resolution, a row of them warped at a time."""
    from rasterio import Affine
    from rasterio.enums import ColorInterp, Resampling
    from rasterio.vrt import WarpedVRT

    bounds, pixel_m = mercator_box(dataset)
    zoom = min(max(round(math.log2(metres_per_px(0) / pixel_m)), 0), MAX_ZOOM)
    step = metres_per_px(zoom)
    tiles = list(tiles_over(bounds, zoom))
    columns = [t.x for t in tiles if t.y == tiles[0].y]
    has_alpha = ColorInterp.alpha in dataset.colorinterp  # a fourth band may also be near infrared
    has_mask = dataset.nodata is not None or has_alpha
    crs, east_m = warping(dataset, bounds)
    options = {**crs, "resampling": Resampling.cubic, "height": TILE_PX, "width": TILE_PX * len(columns)}
    for start in range(0, len(tiles), len(columns)):
        corner = north_west_of(tiles[start])
        strip_transform = Affine(step, 0.0, corner.x - east_m, 0.0, -step, corner.y)
        with WarpedVRT(dataset, transform=strip_transform, add_alpha=not has_alpha, **options) as strip:
            picture = np.ascontiguousarray(np.moveaxis(strip.read(colour_bands(dataset)), 0, 2))
            mask = strip.read(strip.count) > 127
        if not has_mask:
            mask &= ~black_collar(picture)
        for i, tile in enumerate(tiles[start : start + len(columns)]):
            part = slice(i * TILE_PX, (i + 1) * TILE_PX)
            yield tile, picture[:, part], mask[:, part]
        tick(start + len(columns), len(tiles))


def colour_bands(dataset: Any) -> list[int]:
    """Return the bands that are red, green and blue."""
    return [1, 1, 1] if dataset.count == 1 else [1, 2, 3]


def black_collar(picture: Picture) -> Mask:
    """Find wide black areas: what mosaics without a nodata value paint where they have nothing."""
    black = cv2.inRange(picture, (0, 0, 0), (_COLLAR_LEVEL,) * 3)
    return np.asarray(cv2.morphologyEx(black, cv2.MORPH_OPEN, np.ones((_COLLAR_PX, _COLLAR_PX), np.uint8))) > 0


def _xyz_tiles(folder: Path, tick: Tick) -> Iterator[tuple[Tile, bytes]]:
    """Yield the tiles of the deepest zoom of a ``z/x/y.png|jpg`` folder, byte by byte."""
    zooms = sorted(int(p.name) for p in folder.iterdir() if p.is_dir() and p.name.isdigit())
    if not zooms:
        raise ImageryError(f"{folder} is no XYZ folder: it has no zoom folders like 18/x/y.png")
    paths = sorted(
        p for p in (folder / str(zooms[-1])).glob("*/*") if p.suffix.lower() in {".png", ".jpg", ".jpeg", ".webp"}
    )
    for i, path in enumerate(paths):
        if not (path.stem.isdigit() and path.parent.name.isdigit()):
            raise ImageryError(f"{path} is not named z/x/y by numbers")
        data = path.read_bytes()
        if decode_tile(data, str(path))[1].any():
            yield Tile(zooms[-1], int(path.parent.name), int(path.stem)), data
        tick(i + 1, len(paths))
