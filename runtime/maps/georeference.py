"""Where a GeoTIFF lies on the Web Mercator map: a place that cannot be right is refused before a pixel is read."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from runtime.errors import ImageryError
from runtime.geo.bounds import Bounds
from runtime.geo.mercator import HALF_WORLD_M, MAX_LATITUDE_DEG

_PIXEL_M = (0.001, 20.0)  # finer are degrees taken for metres; coarser shows nothing that a frame could be matched to
_EARTH_M = 6378137.0  # equatorial radius of WGS 84 and of all datums that agree with it to metres
_SAME_DEG = 1e-9
_MERCATOR_180 = "+proj=merc +a=6378137 +b=6378137 +lon_0=180 +units=m +nadgrids=@null +wktext +no_defs"


def mercator_box(dataset: Any, *, coarsest_m: float = _PIXEL_M[1]) -> tuple[Bounds, float]:
    """Return the box of a rasterio dataset and the side of its pixels, in Web Mercator metres; raises ImageryError.

    Pixels may be as large as ``coarsest_m``. Across the 180th meridian the box's east is beyond the half world.
    """
    box, step = _box(dataset, "EPSG:3857", 0.0)
    if box.east - box.west > HALF_WORLD_M:
        shifted, shifted_step = _box(dataset, _MERCATOR_180, HALF_WORLD_M)
        if shifted.east - shifted.west < HALF_WORLD_M:
            box, step = shifted, shifted_step
    _check_box(dataset, box, step, coarsest_m)
    _check_datum(dataset)
    return box, step


def warping(dataset: Any, box: Bounds) -> tuple[dict[str, str], float]:
    """CRSs for rasterio's WarpedVRT of a dataset with this box, and how far east of Web Mercator's their x begins.

    Across the 180th meridian that is Web Mercator about it, as the usual one is torn there, and degrees must not jump
    in the middle of the map. Raises ImageryError for degrees of a datum that PROJ's short form would lose.
    """
    if box.east <= HALF_WORLD_M:
        return {"crs": "EPSG:3857"}, 0.0
    if not dataset.crs.is_geographic:
        return {"crs": _MERCATOR_180}, HALF_WORLD_M
    if _radius_m(_geographic(dataset.crs.to_dict(projjson=True))) != _EARTH_M:
        raise ImageryError(
            f"{dataset.name} crosses the 180th meridian in degrees of an old datum, {_called(dataset.crs)}; "
            "turn it into those of WGS 84: gdalwarp -t_srs EPSG:4326"
        )
    middle_deg = (dataset.bounds.left + dataset.bounds.right) / 2
    degrees = f"{dataset.crs.to_proj4()} +lon_wrap={round(middle_deg)}"
    return {"crs": _MERCATOR_180, "src_crs": degrees}, HALF_WORLD_M


def _box(dataset: Any, crs: str, east_m: float) -> tuple[Bounds, float]:
    from rasterio.warp import calculate_default_transform

    shape = (dataset.width, dataset.height)
    try:
        transform, width, height = calculate_default_transform(dataset.crs, crs, *shape, *dataset.bounds)
    except Exception:  # rasterio's and GDAL's errors have no common base
        raise ImageryError(
            f"{dataset.name} has no place on Earth: its CRS {_called(dataset.crs)} is a local one, or its coordinates "
            "are of another; state the right one: gdal_edit.py -a_srs EPSG:.."
        ) from None
    west, north, step = transform.c + east_m, transform.f, transform.a
    return Bounds(west, north + height * transform.e, west + width * step, north), step


def _check_box(dataset: Any, box: Bounds, step: float, coarsest_m: float) -> None:
    if box.east - box.west > HALF_WORLD_M or max(-box.south, box.north) > HALF_WORLD_M + step:
        raise ImageryError(
            f"{dataset.name} spans half the world, or reaches past {MAX_LATITUDE_DEG:.2f} degrees of latitude, "
            "where Web Mercator ends; cut it: gdal_translate -projwin"
        )
    if not (box.east > box.west and box.north > box.south):  # NaN too
        raise ImageryError(f"{dataset.name} covers no area on Earth; see gdalinfo for its transform and CRS")
    if not _PIXEL_M[0] <= step <= coarsest_m:
        raise ImageryError(
            f"{dataset.name} shows {step:.3g} m a pixel by its CRS {_called(dataset.crs)}, expected {_PIXEL_M[0]:g} to "
            f"{coarsest_m:g} m: too coarse, or coordinates of another CRS; state that: gdal_edit.py -a_srs EPSG:.."
        )


def _check_datum(dataset: Any) -> None:
    """Refuse a datum from which PROJ knows no way to WGS 84: it takes the two for one, a hundred metres off."""
    from rasterio.crs import CRS
    from rasterio.warp import transform

    base = _geographic(dataset.crs.to_dict(projjson=True))
    if _radius_m(base) == _EARTH_M:
        return
    geographic = CRS.from_string(json.dumps(base))
    middle = (dataset.bounds.left + dataset.bounds.right) / 2, (dataset.bounds.bottom + dataset.bounds.top) / 2
    (lon,), (lat,) = transform(dataset.crs, geographic, [middle[0]], [middle[1]])
    (lon_84,), (lat_84,) = transform(geographic, "EPSG:4326", [lon], [lat])
    if math.hypot(lon_84 - lon, lat_84 - lat) < _SAME_DEG:
        raise ImageryError(
            f"{dataset.name} is on the datum {base['datum']['name']}, and no way from there to WGS 84 is known here: "
            "it would lie far off; state the CRS with its shift: gdal_edit.py -a_srs '+proj=.. +towgs84=..'"
        )


def _geographic(crs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the degrees behind a CRS in PROJJSON; nothing for one that states its own way to WGS 84, or has none."""
    if crs["type"] == "CompoundCRS":
        return _geographic(crs["components"][0])
    found = crs.get("base_crs", crs)
    return dict(found) if found["type"] == "GeographicCRS" else {}


def _radius_m(geographic: Mapping[str, Any]) -> float:
    """Return the equatorial radius of the ellipsoid that degrees are of."""
    return float(geographic.get("datum", {}).get("ellipsoid", {}).get("semi_major_axis", _EARTH_M))


def _called(crs: Any) -> str:
    """Return a CRS in a word or two."""
    code = crs.to_epsg()
    return f"EPSG:{code}" if code else str(crs.to_dict(projjson=True).get("name", "without a name"))
