from __future__ import annotations

import pytest

from calib.camera.checks import check_result
from calib.camera.intrinsics import calibrate
from runtime.errors import DataError
from tests.calib.camera.drawn import SIZE, drawn_views
from tests.calib.camera.rendered import LENS


def test_a_calibration_too_uncertain_to_fly_with_is_refused() -> None:
    found = calibrate(drawn_views(LENS, 12, 0, 0.5, tilts_deg=(0, 12), fill=(0.2, 0.3)), SIZE)
    with pytest.raises(DataError, match=r"the focal length is known to .* only"):
        check_result(found)
    check_result(calibrate(drawn_views(LENS, 20, 0), SIZE))
