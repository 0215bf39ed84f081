"""What is kept of a fit, and where: a file for people, and the bundle that flies with it."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from calib.score.queries import Gathered
from runtime.errors import BundleError
from runtime.files import sha256_of, write_text_whole
from runtime.flights.flight import Flight
from runtime.model.bundle import Bundle, file_entry, write_manifest
from runtime.model.score_map import FORMAT, SCORE_FILE, read_scores
from runtime.tiles.cache import TileCache


def write_scores(path: Path, precisions: Mapping[str, Mapping[str, Any]]) -> None:
    """A ``score.json``, whole or not at all."""
    write_text_whole(path, json.dumps({"format": FORMAT, "precisions": precisions}, indent=2) + "\n")


def store(path: Path, precision: str, entry: Mapping[str, Any]) -> Path:
    """Add a fit to a bundle, beside those of its other precisions; raises BundleError where there is no bundle."""
    bundle, others = Bundle.open(path), dict[str, Mapping[str, Any]]()
    if SCORE_FILE in bundle.manifest["files"]:
        with contextlib.suppress(BundleError):  # a broken one is what this replaces
            others = dict(read_scores(bundle))
    file = path / SCORE_FILE
    write_scores(file, {**others, precision: entry})
    files = {**bundle.manifest["files"], SCORE_FILE: file_entry(file, precision)}
    write_manifest(path, {**bundle.manifest, "files": files})
    return file


def listed(
    flights: Sequence[Flight], caches: Sequence[TileCache], gathered: Sequence[Gathered]
) -> list[dict[str, Any]]:
    """What was fitted on, so that it can be told whether a flight that accuracy is reported on was among it."""
    hashes = {cache.path: sha256_of(cache.path) for cache in caches}
    return [
        {
            "name": flight.name,
            "sha256": _flight_sha256(flight),
            "tiles_sha256": hashes[cache.path],
            "frames": one.frames,
            "used": len(one.queries),
            "left_out": one.left_out,
        }
        for flight, cache, one in zip(flights, caches, gathered, strict=True)
    ]


def _flight_sha256(flight: Flight) -> str:
    """Of the hashes of telemetry, truth and pictures, in order."""
    files = [flight.path / "telemetry.csv", flight.path / "truth.csv", *flight.images]
    return hashlib.sha256("".join(sha256_of(file) for file in files).encode()).hexdigest()
