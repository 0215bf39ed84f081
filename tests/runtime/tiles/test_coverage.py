"""What a cache covers, as a picture."""

from __future__ import annotations

from pathlib import Path

import cv2

from runtime.tiles.__main__ import main


def test_coverage_is_drawn_where_there_are_tiles(toy_tiles: Path, tmp_path: Path) -> None:
    assert main(["info", str(toy_tiles), "--map", str(tmp_path / "cover.png")]) == 0
    drawn = cv2.imread(str(tmp_path / "cover.png"))
    assert drawn is not None
    panel = drawn[34:514, :480].astype(int)
    assert panel[220:260, 220:260].mean() > 1.5 * panel[:8].mean(), "the middle is covered, the rim is not"
    assert main(["info", str(toy_tiles), "--map", str(tmp_path / "cover.gif")]) == 1
