"""A board to print, in millimetres: as PDF (exact at any printer) or PNG (300 dots an inch, and says so)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from calib.camera.board import Board
from calib.options import Paper
from runtime.errors import SettingsError
from runtime.files import whole_file

PAPERS_MM: Mapping[Paper, tuple[float, float]] = {"A4": (297.0, 210.0), "A3": (420.0, 297.0)}
_SIDES_MM, _TOP_MM, _BOTTOM_MM = 15.0, 10.0, 28.0  # printers leave an edge free; the text stands below
_DOTS_PER_MM = 300 / 25.4
_POINTS_PER_MM = 72 / 25.4


@dataclass(frozen=True, slots=True)
class BlackRect:
    """A black rectangle on a page; millimetres from the page's top left."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class TextLine:
    """A line of text on a page; millimetres from its top left to the base line."""

    left: float
    base: float
    height: float
    text: str


@dataclass(frozen=True, slots=True)
class Page:
    """A page to print: black rectangles, and lines of text."""

    width_mm: float
    height_mm: float
    rects: Sequence[BlackRect]
    lines: Sequence[TextLine]


def print_board(board: Board, paper: Paper, square_mm: float | None, path: Path) -> list[str]:
    """Write a board to print, its squares as large as asked for or as fit, and return what to tell.

    Raises SettingsError.
    """
    board = fitted(board, paper, square_mm)
    write(page(board, paper), path)
    return [
        f"{path}: {board}, {board.square_mm:g} mm each, on {paper}; print it at 100 %",
        f"next: python -m calib.camera PICTURES {board.flags()} --out camera.yaml".replace("  ", " "),
    ]


def fitted(board: Board, paper: Paper, square_mm: float | None) -> Board:
    """Return the board with squares of the size asked for, or the largest whole millimetres; raises SettingsError."""
    wide, high = _paper(board, paper)
    room_mm = min((wide - 2 * _SIDES_MM) / board.columns, (high - _TOP_MM - _BOTTOM_MM) / board.rows)
    if square_mm is not None and not 0 < square_mm <= room_mm:
        raise SettingsError(f"squares of {square_mm:g} mm do not fit {paper}; {int(room_mm)} mm is the most")
    if not room_mm >= 1:
        raise SettingsError(f"{board} do not fit {paper}; take fewer")
    return replace(board, square_mm=square_mm or float(int(room_mm)))


def page(board: Board, paper: Paper) -> Page:
    """Lay out the board in the page's middle, and below it what has to be known to use it."""
    wide, high = _paper(board, paper)
    left = (wide - board.columns * board.square_mm) / 2
    top = _TOP_MM + (high - _TOP_MM - _BOTTOM_MM - board.rows * board.square_mm) / 2
    text_mm = top + board.rows * board.square_mm + 11.0
    kind = "chessboard" if board.dictionary is None else f"ChArUco, dictionary {board.dictionary}"
    about = f"{board.columns}x{board.rows} squares of {board.square_mm:g} mm, {kind}. Print at 100 %, not fitted to the"
    command = " ".join(["python -m calib.camera PICTURES", board.flags(), "--out camera.yaml"]).replace("  ", " ")
    ruler = BlackRect(left, text_mm - 5.0, 100.0, 0.6)
    lines = [
        TextLine(left + 102.0, text_mm - 3.8, 3.0, "this bar is 100 mm: measure it"),
        TextLine(left, text_mm + 1.0, 3.0, f"{about} page; glue it to something flat and stiff."),
        TextLine(left, text_mm + 6.0, 3.0, command),
    ]
    return Page(wide, high, [ruler, *(_moved(rect, left, top) for rect in _squares(board))], lines)


def _paper(board: Board, paper: Paper) -> tuple[float, float]:
    """Return width and height of the paper, turned as suits the board."""
    long, short = PAPERS_MM[paper]
    return (long, short) if board.columns >= board.rows else (short, long)


def _moved(rect: BlackRect, left: float, top: float) -> BlackRect:
    return replace(rect, left=rect.left + left, top=rect.top + top)


def _squares(board: Board) -> list[BlackRect]:
    """Return everything black on the board, from its top left corner."""
    side = board.square_mm
    first_white = board.dictionary is not None and board.legacy and board.rows % 2 == 0
    rects = [
        BlackRect(column * side, row * side, side, side)
        for row in range(board.rows)
        for column in range(board.columns)
        if (row + column) % 2 == first_white
    ]
    if board.dictionary is None:
        return rects
    charuco = board.charuco()
    for number, corners in zip(np.ravel(charuco.getIds()), charuco.getObjPoints(), strict=True):
        left, top = np.min(np.asarray(corners, float)[:, :2], axis=0)
        rects += [_moved(cell, left, top) for cell in _marker(board, int(number))]
    return rects


def _marker(board: Board, number: int) -> list[BlackRect]:
    """Return the black cells of a marker, those beside each other in one piece so that no seam shows."""
    markers = board.markers()
    cells = markers.markerSize + 2
    black = markers.generateImageMarker(number, cells) == 0
    side = board.square_mm * board.marker_share / cells
    rects = []
    for row in range(cells):
        edges = np.flatnonzero(np.diff(np.pad(black[row].astype(int), 1)))
        rects += [BlackRect(a * side, row * side, (b - a) * side, side) for a, b in edges.reshape(-1, 2).tolist()]
    return rects


def write(page: Page, path: Path) -> None:
    """Write a page, PDF or PNG by the path's ending; raises SettingsError on another one."""
    writers = {".pdf": _pdf, ".png": _png}
    if path.suffix.lower() not in writers:
        raise SettingsError(f"{path} must end in .pdf or .png")
    data = writers[path.suffix.lower()](page)
    with whole_file(path) as partial:
        partial.write_bytes(data)


def _pdf(page: Page) -> bytes:
    """Return one page of rectangles and text after PDF 1.4 (ISO 32000-1): no printer can make it fuzzy."""
    scale, high = _POINTS_PER_MM, page.height_mm
    drawn = [
        f"{r.left * scale:.4f} {(high - r.top - r.height) * scale:.4f} {r.width * scale:.4f} {r.height * scale:.4f} re"
        for r in page.rects
    ]
    escaped = ((t, t.text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")) for t in page.lines)
    drawn += ["f"] + [
        f"BT /F1 {t.height * scale * 1.2:.2f} Tf {t.left * scale:.3f} {(high - t.base) * scale:.3f} Td ({text}) Tj ET"
        for t, text in escaped
    ]
    content = "\n".join(drawn).encode("ascii")
    size = f"[0 0 {page.width_mm * scale:.3f} {high * scale:.3f}]"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R /ViewerPreferences << /PrintScaling /None >> >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox {size} /Contents 4 0 R "
        "/Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>".encode(),
        b"<< /Length %d >>\nstream\n%b\nendstream" % (len(content), content),
    ]
    out, starts = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        starts.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % start for start in starts)
    count = len(objects) + 1
    out += b"xref\n0 %d\n0000000000 65535 f \n%b" % (count, table)
    return out + b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (count, out.rindex(b"xref"))


def _png(page: Page) -> bytes:
    """Return the page as PNG at 300 dots an inch, with the chunk that tells a printer so."""
    dots = _DOTS_PER_MM
    picture = np.full((round(page.height_mm * dots), round(page.width_mm * dots)), 255, np.uint8)
    for rect in page.rects:
        rows = slice(round(rect.top * dots), round((rect.top + rect.height) * dots))
        picture[rows, round(rect.left * dots) : round((rect.left + rect.width) * dots)] = 0
    for line in page.lines:
        at = round(line.left * dots), round(line.base * dots)
        cv2.putText(picture, line.text, at, cv2.FONT_HERSHEY_SIMPLEX, line.height * dots / 26, 0, 3, cv2.LINE_AA)
    _, data = cv2.imencode(".png", picture)
    header = 8 + 4 + 4 + 13 + 4  # the signature and IHDR
    per_metre = round(dots * 1000)
    chunk = b"pHYs" + struct.pack(">IIB", per_metre, per_metre, 1)
    physical = struct.pack(">I", 9) + chunk + struct.pack(">I", zlib.crc32(chunk))
    encoded = data.tobytes()
    return encoded[:header] + physical + encoded[header:]
