"""What is kept of a fit, and where: a file for people, and the bundle that flies with it."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from calib.score.judge import JudgedSummary
from calib.score.queries import GatheredQueries
from runtime.errors import BundleError
from runtime.files import sha256_of, write_text_whole
from runtime.flights.flight import Flight
from runtime.model.bundle import Bundle, file_entry, write_manifest
from runtime.model.manifest import JsonObject, Precision
from runtime.model.score_map import FORMAT, SCORE_FILE, read_scores
from runtime.tiles.cache import TileCache


@dataclass(frozen=True, slots=True)
class ListedFlight:
    """A flight that was fitted on, so that nobody reports accuracy on it unknowingly."""

    name: str
    sha256: str  # of telemetry, truth and pictures
    tiles_sha256: str
    frames: int
    used: int
    left_out: Mapping[str, int]  # reason -> frames


@dataclass(frozen=True, slots=True)
class HeldOutScores:
    """The quality of probabilities on frames that a fit had not seen."""

    how: str
    frames: int
    default: JudgedSummary
    fitted: JudgedSummary


@dataclass(frozen=True, slots=True)
class ScoreEntry:
    """A fit for one graph, as ``score.json`` has it; the fields' order is the file's."""

    temperature: float
    outlier_share: float
    encoder_sha256: str
    flights: tuple[ListedFlight, ...]
    held_out: HeldOutScores

    def as_json(self) -> JsonObject:
        """Return the entry for the file."""
        return asdict(self)


def write_scores(path: Path, precisions: Mapping[str, JsonObject]) -> None:
    """Write a ``score.json``, whole or not at all."""
    write_text_whole(path, json.dumps({"format": FORMAT, "precisions": precisions}, indent=2) + "\n")


def store(path: Path, precision: Precision, entry: ScoreEntry) -> Path:
    """Add a fit to a bundle, beside those of its other precisions; raises BundleError where there is no bundle."""
    bundle, others = Bundle.open(path), dict[str, JsonObject]()
    if SCORE_FILE in bundle.manifest.files:
        with contextlib.suppress(BundleError):  # a broken one is what this replaces
            others = dict(read_scores(bundle))
    file = path / SCORE_FILE
    write_scores(file, {**others, precision: entry.as_json()})
    write_manifest(path, bundle.manifest.with_files({SCORE_FILE: file_entry(file, precision)}))
    return file


def listed(
    flights: Sequence[Flight], caches: Sequence[TileCache], gathered: Sequence[GatheredQueries]
) -> tuple[ListedFlight, ...]:
    """List what was fitted on, in the order of the flights."""
    hashes = {cache.path: sha256_of(cache.path) for cache in caches}
    return tuple(
        ListedFlight(
            name=flight.name,
            sha256=_flight_sha256(flight),
            tiles_sha256=hashes[cache.path],
            frames=of_flight.frames,
            used=len(of_flight.queries),
            left_out=of_flight.left_out,
        )
        for flight, cache, of_flight in zip(flights, caches, gathered, strict=True)
    )


def _flight_sha256(flight: Flight) -> str:
    """Hash the hashes of telemetry, truth and pictures, in order."""
    files = [flight.path / "telemetry.csv", flight.path / "truth.csv", *flight.images]
    return hashlib.sha256("".join(sha256_of(file) for file in files).encode()).hexdigest()
