"""Real pictures over real maps of another date: floors that an honest change must not fall through.

The flights are no part of the project; what is claimed of accuracy stands in docs/accuracy.md, not here.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runtime.replay.__main__ import main as replay
from runtime.tiles.__main__ import main as tiles


def thinned(flight: Path, out: Path, every: int) -> Path:
    """A flight of every so many frames, linked and not copied."""
    out.mkdir()
    header, *rows = (flight / "telemetry.csv").read_text().splitlines(keepends=True)
    (out / "telemetry.csv").write_text(header + "".join(rows[::every]))
    for name in ("flight.json", "camera.yaml", "truth.csv", "frames"):
        (out / name).symlink_to((flight / name).resolve())
    return out


@pytest.mark.parametrize(("name", "footprint", "every"), [("fengyuan", "90", 3), ("caliterra", "45", 2)])
def test_most_of_a_real_flight_is_found_without_a_start_and_no_fix_is_far_off(
    *, name: str, footprint: str, every: int, real_flights: Path, default_bundle: Path, tmp_path: Path
) -> None:
    original, cache, report_path = real_flights / name, tmp_path / "a.tiles", tmp_path / "report.json"
    if not original.is_dir():
        pytest.skip(f"{original} is missing")
    flight, imagery = thinned(original, tmp_path / name, every), str(original / "map.tif")
    usual = ["--bundle", str(default_bundle)]
    assert tiles(["build", "--imagery", imagery, "--out", str(cache), "--footprints", footprint, *usual]) == 0
    usual += ["--report", str(report_path)]
    assert replay([str(flight), "--tiles", str(cache), *usual]) == 0
    report = json.loads(report_path.read_text())
    ground = report["ground_error_m"]["of_fixes"]
    assert report["fixes"] >= 0.8 * report["frames"]
    assert ground["count"] >= 0.8 * report["frames"] - 2
    assert ground["median"] < 3.0
    assert ground["worst"] < 15.0
    assert report["jumps"] == report["hpl_misses"] == 0
