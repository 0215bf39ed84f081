from __future__ import annotations

import numpy as np

from calib.camera.views import BoardView, novel
from tests.calib.camera.drawn import SIZE


def test_of_two_views_alike_the_sharper_stays_and_the_rest_spread_out() -> None:
    outline = np.array([[100.0, 100], [300, 100], [300, 200], [100, 200]])
    corners = np.zeros((1, 3)), np.zeros((1, 2))
    views = [
        BoardView(name, *corners, outline + shift, edge)
        for name, shift, edge in (("soft", 0, 3.5), ("sharp", 2, 2.0), ("beside", 60, 3.0), ("far", 200, 3.0))
    ]
    assert [view.name for view in novel(views, SIZE, 2)] == ["sharp", "far"]
    assert {view.name for view in novel(views, SIZE, 9)} == {"sharp", "far", "beside"}
