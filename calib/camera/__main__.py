"""``python -m calib.camera``: pictures or a video of a board -> the ``camera.yaml`` that a flight needs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.command import run_command
from runtime.errors import SettingsError

if TYPE_CHECKING:
    from calib.camera.board import Board
    from calib.camera.intrinsics import Calibration
    from calib.camera.views import Survey, View

_LEAST_VIEWS = 12
_LOOK_AFTER = 8  # pictures with no board in any: something is wrong, and the rest would not mend it

_EPILOG = """\
How to take good pictures:
  1. Print the board (--print-board) at 100 %, measure the bar, glue it to something flat and stiff: glass, a table top.
  2. Set the camera as it flies: the same mode, size and zoom, focus fixed where it is in flight (far away), no
     stabilisation that crops. Photos and videos of one camera are often cropped differently: calibrate what you fly.
  3. Take 30 to 60 pictures, or a slow video of a minute. Move the camera or the board, hold still, take one.
     Let the board fill half of the frame or more; have it in all four corners of the frame, also partly outside
     (ChArUco only; a chessboard must be seen whole).
  4. Tilt it 20 to 40 degrees to each of its four sides. Pictures straight from the front cannot tell focal length
     from distance.
  5. Much light: a short exposure does not blur. If a near board is out of focus, print it as A3 and step back.

Examples:
  python -m calib.camera --print-board board.pdf
  python -m calib.camera shots/ --out camera.yaml
  python -m calib.camera board.mp4 --square-mm 35 --out camera.yaml
  python -m calib.camera shots/ --chessboard --squares 10x7 --square-mm 25 --out camera.yaml

camera.yaml is the ROS camera_info convention (plumb_bob). Beside it lie camera.residuals.png and camera.coverage.png.
A result that is too uncertain to fly with is refused: one line says why, and nothing is written."""


def main(argv: list[str] | None = None) -> int:
    """Calibrate a camera, or print the board for it; returns the exit code."""
    parser = _parser()
    args = parser.parse_args(argv)
    if bool(args.sources) == bool(args.print_board):
        parser.error("give pictures or a video to calibrate from, or --print-board FILE")
    if args.sources and not args.out:
        parser.error("--out camera.yaml is needed")
    if not (args.every_s >= 0 and args.max_views >= _LEAST_VIEWS):
        parser.error(f"--every-s must not be negative, --max-views at least {_LEAST_VIEWS}")
    return run_command("calib.camera", lambda: _print(args) if args.print_board else _run(args))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m calib.camera",
        description="Focal length, principal point and distortion of a camera from pictures of a board.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("sources", nargs="*", type=Path, metavar="PICTURES", help="folders, single pictures or videos")
    parser.add_argument("--out", type=Path, metavar="YAML", help="where the camera is written")
    parser.add_argument("--max-views", type=int, default=60, help="of more, the most different are used (%(default)s)")
    parser.add_argument(
        "--every-s", type=float, default=0.25, help="a video gives the sharpest frame of each so many seconds"
    )
    board = parser.add_argument_group("the board, as is printed on it")
    board.add_argument("--squares", type=_squares, default=(11, 7), metavar="11x7", help="squares, not inner corners")
    board.add_argument("--square-mm", type=float, help="side of a square (24)")
    board.add_argument("--chessboard", action="store_true", help="plain squares, no markers")
    board.add_argument("--dictionary", default="4X4_50", help="of the markers (%(default)s)")
    board.add_argument("--marker-share", type=float, default=0.7, help="a marker's side over a square's (%(default)s)")
    board.add_argument("--legacy", action="store_true", help="ChArUco of before OpenCV 4.6 with an even number of rows")
    printing = parser.add_argument_group("printing")
    printing.add_argument("--print-board", type=Path, metavar="PDF|PNG", help="make the board to print, and stop")
    printing.add_argument("--paper", choices=("A4", "A3"), default="A4")
    return parser


def _squares(text: str) -> tuple[int, int]:
    numbers = text.lower().split("x")
    if len(numbers) != 2 or not all(number.isdecimal() for number in numbers):
        raise argparse.ArgumentTypeError(f"{text} is not COLUMNSxROWS, such as 11x7")
    return int(numbers[0]), int(numbers[1])


def _board(args: argparse.Namespace) -> Board:
    from calib.camera.board import Board

    dictionary = None if args.chessboard else args.dictionary.upper().removeprefix("DICT_")
    square_mm = Board().square_mm if args.square_mm is None else args.square_mm
    columns, rows = args.squares
    return Board(columns, rows, square_mm, dictionary, args.marker_share, args.legacy)


def _print(args: argparse.Namespace) -> None:
    from calib.camera.print_board import fitted, page, write

    board = fitted(_board(args), args.paper, args.square_mm)
    write(page(board, args.paper), args.print_board)
    print(f"{args.print_board}: {board}, {board.square_mm:g} mm each, on {args.paper}; print it at 100 %")
    print(f"next: python -m calib.camera PICTURES {board.flags()} --out camera.yaml".replace("  ", " "))


def _run(args: argparse.Namespace) -> None:
    from calib.camera.checks import check_count, check_coverage, check_result, check_sizes, check_tilts
    from calib.camera.intrinsics import calibrate, fitting
    from calib.camera.pictures import coverage_picture, residual_picture
    from calib.camera.report import notes, summary
    from calib.camera.views import novel
    from calib.drawing import write_picture
    from runtime.progress import progress

    if args.out.suffix not in {".yaml", ".yml"}:
        raise SettingsError(f"{args.out} must end in .yaml")
    board = _board(args)
    seen = _survey(board, args.sources, args.every_s)
    size = check_sizes(seen)
    views = novel(seen.views, size, args.max_views)
    check_count(board, seen, views, _LEAST_VIEWS)
    missing = check_coverage(views, size)
    views, odd, first = fitting(views, size)
    check_tilts(first.normals())
    with progress("fits") as tick:
        found = calibrate(views, size, tick)
    check_result(found)

    pictures = {"residuals": residual_picture(found, views), "coverage": coverage_picture(found.fit, views, size)}
    for name, picture in pictures.items():
        write_picture(picture, args.out.with_suffix(f".{name}.png"))
    _write(found, len(views), args.out)
    print(f"{args.out}: {size[0]}x{size[1]}; beside it what to look at, .residuals.png and .coverage.png")
    print(summary(found, len(views), _left_out(seen, views, odd)))
    for note in notes(found, missing):
        print(f"note: {note}")


def _survey(board: Board, sources: Sequence[Path], every_s: float) -> Survey:
    """Look at all pictures; give up early, and say why, where none of the first shows the board."""
    from calib.camera.checks import check_board
    from calib.camera.shots import pictures
    from calib.camera.views import survey
    from runtime.progress import live_line

    with live_line() as say:

        def watch(seen: Survey) -> None:
            say(f"{seen.looked_at} pictures, {len(seen.views)} with the board, {len(seen.blurred)} blurred")
            if len(seen.without) == seen.looked_at == _LOOK_AFTER:
                check_board(board, seen.lost)

        return survey(board, pictures(sources, every_s), watch)


def _left_out(seen: Survey, used: Sequence[View], odd: Sequence[View]) -> dict[str, list[str]]:
    """Names of the pictures that were not used, by why."""
    told = {view.name for view in (*used, *odd)}
    return {
        "show no board": seen.without,
        "are blurred": seen.blurred,
        "do not fit the others": [view.name for view in odd],
        "are like another": [view.name for view in seen.views if view.name not in told],
    }


def _write(found: Calibration, views: int, path: Path) -> None:
    """The file that ``Camera.from_yaml`` reads, with what ROS asks for besides, and how it came about."""
    import yaml

    from runtime.files import whole_file
    from runtime.sensors.camera_info import write_camera

    camera, held_out_px = found.fit.camera, found.held_out_px[found.model]
    fx, fy, cx, cy = camera.matrix[[0, 1, 0, 1], [0, 1, 2, 2]].tolist()
    more = {
        "rectification_matrix": {"rows": 3, "cols": 3, "data": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]},
        "projection_matrix": {"rows": 3, "cols": 4, "data": [fx, 0.0, cx, 0.0, 0.0, fy, cy, 0.0, 0.0, 0.0, 1.0, 0.0]},
    }
    about = f"# python -m calib.camera: {views} views, {found.model}, {held_out_px:.3f} px RMS on held-out ones\n"
    with whole_file(path) as partial:
        write_camera(camera, partial)
        fields = partial.read_text(encoding="utf-8")
        partial.write_text(about + fields + yaml.safe_dump(more, sort_keys=False), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
