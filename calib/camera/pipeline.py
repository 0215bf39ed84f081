"""From pictures of a board to a ``camera.yaml``: survey, checks, fit, checks again, files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from calib.camera.board import Board
from calib.camera.checks import check_board, check_count, check_coverage, check_result, check_sizes, check_tilts
from calib.camera.intrinsics import Calibration, calibrate, fitting
from calib.camera.pictures import coverage_picture, residual_picture
from calib.camera.report import notes, summary
from calib.camera.shots import shots
from calib.camera.views import BoardView, Survey, novel, survey
from calib.drawing import write_picture
from calib.options import LEAST_VIEWS
from runtime.errors import SettingsError
from runtime.files import whole_file
from runtime.progress import live_line, progress
from runtime.sensors.camera_info import CALIBRATED_SIGMA, write_camera

_GIVE_UP_AFTER = 8  # pictures with no board in any: something is wrong, and the rest would not mend it


@dataclass(frozen=True, slots=True)
class CameraRequest:
    """A camera that ``python -m calib.camera`` is to calibrate."""

    board: Board
    sources: tuple[Path, ...]
    out: Path
    max_views: int = 60
    every_s: float = 0.25

    def __post_init__(self) -> None:
        """Raise SettingsError for a file of another kind."""
        if self.out.suffix not in {".yaml", ".yml"}:
            raise SettingsError(f"{self.out} must end in .yaml")


def calibrate_camera(request: CameraRequest) -> list[str]:
    """Write the camera and two pictures beside it; returns what to tell, line by line.

    Raises DataError where the pictures do not do, or the result is too uncertain to fly with: nothing is written then.
    """
    seen = _survey(request.board, request.sources, request.every_s)
    size = check_sizes(seen)
    views = novel(seen.views, size, request.max_views)
    check_count(request.board, seen, views, LEAST_VIEWS)
    missing = check_coverage(views, size)
    views, odd, first = fitting(views, size)
    check_tilts(first.normals())
    with progress("fits") as tick:
        calibration = calibrate(views, size, tick)
    check_result(calibration)
    pictures = {
        "residuals": residual_picture(calibration, views),
        "coverage": coverage_picture(calibration.fit, views, size),
    }
    for name, picture in pictures.items():
        write_picture(picture, request.out.with_suffix(f".{name}.png"))
    _write(calibration, len(views), request.out)
    return [
        f"{request.out}: {size[0]}x{size[1]}; beside it what to look at, .residuals.png and .coverage.png",
        summary(calibration, len(views), _left_out(seen, views, odd)),
        *(f"note: {note}" for note in notes(calibration, missing)),
    ]


def _survey(board: Board, sources: Sequence[Path], every_s: float) -> Survey:
    """Look at all pictures; give up early, and say why, where none of the first shows the board."""
    with live_line() as say:

        def watch(seen: Survey) -> None:
            say(f"{seen.looked_at} pictures, {len(seen.views)} with the board, {len(seen.blurred)} blurred")
            if len(seen.without) == seen.looked_at == _GIVE_UP_AFTER:
                check_board(board, seen.lost)

        return survey(board, shots(sources, every_s), watch)


def _left_out(seen: Survey, used: Sequence[BoardView], odd: Sequence[BoardView]) -> dict[str, list[str]]:
    """Return the names of the pictures that were not used, by why."""
    accounted = {view.name for view in (*used, *odd)}
    return {
        "show no board": seen.without,
        "are blurred": seen.blurred,
        "do not fit the others": [view.name for view in odd],
        "are like another": [view.name for view in seen.views if view.name not in accounted],
    }


def _write(calibration: Calibration, views: int, path: Path) -> None:
    """Write the file that ``read_camera`` reads, with what ROS asks for besides, and how it came about."""
    camera, held_out_px = calibration.fit.camera, calibration.held_out_px[calibration.model]
    fx, fy, cx, cy = camera.matrix[[0, 1, 0, 1], [0, 1, 2, 2]].tolist()
    more = {
        "rectification_matrix": {"rows": 3, "cols": 3, "data": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]},
        "projection_matrix": {"rows": 3, "cols": 4, "data": [fx, 0.0, cx, 0.0, 0.0, fy, cy, 0.0, 0.0, 0.0, 1.0, 0.0]},
    }
    about = f"# python -m calib.camera: {views} views, {calibration.model}, {held_out_px:.3f} px RMS on held-out ones\n"
    with whole_file(path) as partial:
        write_camera(replace(camera, focal_sigma=CALIBRATED_SIGMA), partial)
        fields = partial.read_text(encoding="utf-8")
        partial.write_text(about + fields + yaml.safe_dump(more, sort_keys=False), encoding="utf-8")
