"""What a cache states of itself: parsed once when it is opened, written as the JSON it was read from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from runtime.maps.heights import DemSource, Lattice
from runtime.maps.mosaic import MapCredit

MAX_SHIFT_M = 1_000.0
"""A map that lies further off is of another place."""


@dataclass(frozen=True, slots=True)
class EncoderFacts:
    """The graph that embedded a cache's rows."""

    name: str
    sha256: str
    precision: str  # fp32 | fp16 | int8
    dim: int


@dataclass(frozen=True, slots=True)
class Level:
    """The windows of one footprint: how many have a row, and how many have none, by reason."""

    footprint_m: float
    stride_m: float
    rows: int
    left_out: Mapping[str, int]  # missing | blank | cloudy


@dataclass(frozen=True, slots=True)
class MapFacts:
    """The MBTiles file beside a cache."""

    accuracy_ce90_m: float  # 90% of its points lie within this of where it shows them
    sha256: str
    bytes: int
    corners: tuple[int, int, int, int, int]  # zoom; column and row of the north-western, then south-eastern tile


@dataclass(frozen=True, slots=True)
class Alignment:
    """How far a map lies from where it should, by flights whose GNSS somebody trusted."""

    east_m: float  # to be added to a place of the map
    north_m: float
    frames: int  # that were compared
    flights: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CacheMetadata:
    """All that a cache states beside its tensors; ``format`` is set when it is written."""

    encoder: EncoderFacts
    levels: tuple[Level, ...]
    bounds_deg: tuple[float, float, float, float]  # west, south, east, north; east beyond 180 over the 180th meridian
    imagery: MapFacts
    sources: tuple[MapCredit, ...]
    terrain: Lattice | None = None
    alignment: Alignment | None = None
    format: int = 0

    @property
    def rows(self) -> int:
        """The number of rows on all levels."""
        return sum(level.rows for level in self.levels)

    def level_rows(self, level: int) -> slice:
        """Return the rows of one level, which lie together."""
        first = sum(one.rows for one in self.levels[:level])
        return slice(first, first + self.levels[level].rows)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> CacheMetadata:
        """Parse what :meth:`to_json` made; raises KeyError, TypeError or ValueError on anything else.

        Numbers stay as they are written, 64 or 64.0, so that the JSON made of them has the same hash.
        """
        terrain, alignment = values.get("terrain"), values.get("alignment")
        return cls(
            encoder=EncoderFacts(**values["encoder"]),
            levels=tuple(Level(**level) for level in values["levels"]),
            bounds_deg=_exactly(tuple(values["bounds_deg"]), 4),
            imagery=MapFacts(**{**values["imagery"], "corners": _exactly(tuple(values["imagery"]["corners"]), 5)}),
            sources=tuple(MapCredit(**source) for source in values["sources"]),
            terrain=None if terrain is None else _lattice(terrain),
            alignment=None if alignment is None else _alignment(alignment),
            format=values["format"],
        )

    def to_json(self) -> dict[str, Any]:
        """Return the JSON of the metadata, without ``terrain`` and ``alignment`` where there are none."""
        values = asdict(self)
        for name in ("terrain", "alignment"):
            if values[name] is None:
                del values[name]
        return values


def left_out_text(left_out: Mapping[str, int]) -> str:
    """Describe for people how many windows have no row, by reason."""
    return ", ".join(f"{windows} {reason}" for reason, windows in left_out.items() if windows) or "none"


def _lattice(values: Mapping[str, Any]) -> Lattice:
    sources = tuple(DemSource(**source) for source in values["sources"])
    return Lattice(**{**values, "shape": _exactly(tuple(values["shape"]), 2), "sources": sources})


def _alignment(values: Mapping[str, Any]) -> Alignment:
    alignment = Alignment(**{**values, "flights": tuple(values["flights"])})
    if not max(abs(alignment.east_m), abs(alignment.north_m)) <= MAX_SHIFT_M:
        raise ValueError(f"a map that is {alignment.east_m}, {alignment.north_m} m off")
    return alignment


def _exactly(values: tuple[Any, ...], count: int) -> Any:
    if len(values) != count:
        raise ValueError(f"{len(values)} numbers, expected {count}")
    return values
