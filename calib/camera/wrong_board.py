"""The board that pictures show, when it is not the one that was named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.camera.board import DICTIONARIES, Board, Grey
from calib.camera.shots import BoardShot
from calib.camera.views import SEARCH_PX
from runtime.types import FloatArray

_LOOK_AT = 6
_MIN_MARKERS = 6  # fewer may be chance: large dictionaries see markers in noise
_MOST_COLUMNS = 30


def board_seen(shots: Sequence[BoardShot], named: Board) -> Board | None:
    """Return the board that some pictures show, as far as they tell; the size of its squares is taken as named."""
    looked_at = shots[:: max(1, len(shots) // _LOOK_AT)][:_LOOK_AT]
    greys = [_small(shot.grey) for shot in looked_at]
    return _charuco_seen(greys, named) or _chessboard_seen(greys, named)


def has_markers(shot: BoardShot) -> bool:
    """Tell whether a board that was taken for a chessboard is a ChArUco board."""
    return _family_of(_small(shot.grey)) is not None


def _small(grey: Grey) -> Grey:
    scale = min(1.0, SEARCH_PX / max(grey.shape))
    return np.asarray(cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def _charuco_seen(greys: Sequence[Grey], named: Board) -> Board | None:
    family = next(filter(None, map(_family_of, greys)), None)
    if family is None:
        return None
    read = [_markers(grey, family[-1]) for grey in greys]
    best, last = max(read, key=lambda seen: len(seen[0])), _last(read)
    name = next(name for name in family if _held(name) > last)
    fits = ((_fit_share(board, *best), board) for board in _layouts(name, last, named))
    share, board = max(fits, key=lambda fit: fit[0], default=(0.0, named))
    return board if share >= 0.9 else None


def _family_of(grey: Grey) -> list[str] | None:
    """Return the dictionaries that read a picture's markers, the smallest first: 4X4_50 begins 4X4_1000."""
    families: dict[str, list[str]] = {}
    for name in sorted(DICTIONARIES, key=_held):
        families.setdefault(name.rpartition("_")[0] if name[1] == "X" else name, []).append(name)
    counts = {family: len(_markers(grey, names[-1])[0]) for family, names in families.items()}
    most = max(counts, key=lambda family: counts[family])
    return families[most] if counts[most] >= _MIN_MARKERS else None


def _last(read: Sequence[tuple[NDArray[np.int64], FloatArray]]) -> int:
    """Return the highest number that more than one picture shows: one alone may be a misreading."""
    numbers, shown = np.unique(np.concatenate([seen for seen, _ in read]), return_counts=True)
    return int(numbers[shown >= min(2, len(read))].max(initial=0))


def _held(dictionary: str) -> int:
    """Return how many markers a dictionary holds."""
    return len(cv2.aruco.getPredefinedDictionary(DICTIONARIES[dictionary]).bytesList)


def _markers(grey: Grey, dictionary: str) -> tuple[NDArray[np.int64], FloatArray]:
    """Read the markers of one dictionary: their numbers, (M,), and corners, (M, 4, 2)."""
    detector = cv2.aruco.ArucoDetector(cv2.aruco.getPredefinedDictionary(DICTIONARIES[dictionary]))
    corners, numbers, _ = detector.detectMarkers(grey)
    return np.ravel(np.asarray([] if numbers is None else numbers, np.int64)), np.array(corners, float).reshape(
        -1, 4, 2
    )


def _layouts(dictionary: str, last: int, named: Board) -> Iterator[Board]:
    """Yield every board whose last marker may be number ``last``: as many rows as that needs."""
    for columns in range(4, _MOST_COLUMNS + 1):
        rows = -(-2 * (last + 1) // columns)
        if rows >= 4 and columns * rows // 2 <= _held(dictionary):
            for legacy in (False, True) if rows % 2 == 0 else (False,):
                yield Board(columns, rows, named.square_mm, dictionary, named.marker_share, legacy)


def _fit_share(board: Board, numbers: NDArray[np.int64], corners_px: FloatArray) -> float:
    """Return the share of the markers' corners that lie on the board where this layout has them."""
    charuco = board.charuco()
    places = dict(zip(np.ravel(charuco.getIds()).tolist(), charuco.getObjPoints(), strict=True))
    known = [i for i, number in enumerate(numbers.tolist()) if number in places]
    if len(known) < _MIN_MARKERS:
        return 0.0
    on_board = np.concatenate([np.asarray(places[int(numbers[i])], float)[:, :2] for i in known])
    seen_px = corners_px[known].reshape(-1, 1, 2)
    homography, _ = cv2.findHomography(seen_px, on_board)
    if homography is None:
        return 0.0
    off_mm = np.linalg.norm(cv2.perspectiveTransform(seen_px, homography)[:, 0] - on_board, axis=1)
    return float(np.mean(off_mm < 0.4 * board.square_mm))


def _chessboard_seen(greys: Sequence[Grey], named: Board) -> Board | None:
    """Return the chessboard that half of the pictures agree on; OpenCV lets a pattern grow to what is there."""
    shapes: Counter[tuple[int, ...]] = Counter()
    for grey in greys:
        seen, _, grown = cv2.findChessboardCornersSBWithMeta(grey, (3, 3), flags=cv2.CALIB_CB_LARGER)
        if seen and np.size(grown) > 9:  # what has not grown may be anything
            shapes[tuple(sorted(np.shape(grown)[:2]))] += 1
    (shape, shown), *_ = shapes.most_common(1) or [((), 0)]
    if 2 * shown < len(greys) or not shape:
        return None
    return Board(shape[1] + 1, shape[0] + 1, named.square_mm, None)
