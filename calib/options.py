"""Words and limits that commands show in ``--help``; nothing heavy is imported here."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

LEAST_PICTURES = 8
"""Of a calibration set: under this the range of a layer is a matter of luck."""
LEAST_VIEWS = 12
"""Of a board, for a camera's calibration."""
SQUARE_MM = 24.0
"""Side of a board's square, where nobody says otherwise."""
MARKER_SHARE = 0.7
"""A marker's side over a square's, where nobody says otherwise."""
Paper: TypeAlias = Literal["A4", "A3"]
PAPERS: tuple[Paper, ...] = get_args(Paper)
