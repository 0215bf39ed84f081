"""``python -m calib.camera``: pictures or a video of a board -> the ``camera.yaml`` that a flight needs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from calib.options import LEAST_VIEWS, MARKER_SHARE, PAPERS, SQUARE_MM
from runtime.command import add_verbose, run_command

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
    if not (args.every_s >= 0 and args.max_views >= LEAST_VIEWS):
        parser.error(f"--every-s must not be negative, --max-views at least {LEAST_VIEWS}")

    def command() -> None:
        from calib.camera.board import Board
        from calib.camera.pipeline import CameraRequest, calibrate_camera
        from calib.camera.print_board import print_board

        columns, rows = args.squares
        square_mm = SQUARE_MM if args.square_mm is None else args.square_mm
        dictionary = None if args.chessboard else args.dictionary.upper().removeprefix("DICT_")
        board = Board(columns, rows, square_mm, dictionary, args.marker_share, args.legacy)
        if args.print_board:
            lines = print_board(board, args.paper, args.square_mm, args.print_board)
        else:
            request = CameraRequest(board, tuple(args.sources), args.out, args.max_views, args.every_s)
            lines = calibrate_camera(request)
        print("\n".join(lines))

    return run_command("calib.camera", command, verbose=args.verbose)


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
    board.add_argument("--square-mm", type=float, help=f"side of a square ({SQUARE_MM:g})")
    board.add_argument("--chessboard", action="store_true", help="plain squares, no markers")
    board.add_argument("--dictionary", default="4X4_50", help="of the markers (%(default)s)")
    board.add_argument(
        "--marker-share", type=float, default=MARKER_SHARE, help="a marker's side over a square's (%(default)s)"
    )
    board.add_argument("--legacy", action="store_true", help="ChArUco of before OpenCV 4.6 with an even number of rows")
    printing = parser.add_argument_group("printing")
    printing.add_argument("--print-board", type=Path, metavar="PDF|PNG", help="make the board to print, and stop")
    printing.add_argument("--paper", choices=PAPERS, default=PAPERS[0])
    add_verbose(parser)
    return parser


def _squares(text: str) -> tuple[int, int]:
    numbers = text.lower().split("x")
    if len(numbers) != 2 or not all(number.isdecimal() for number in numbers):
        raise argparse.ArgumentTypeError(f"{text} is not COLUMNSxROWS, such as 11x7")
    return int(numbers[0]), int(numbers[1])


if __name__ == "__main__":
    sys.exit(main())
