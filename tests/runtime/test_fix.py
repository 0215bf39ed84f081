"""Fixes as lines."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from runtime.fix import Fix, NoFix
from tests.runtime.replay.drawn import fix


def test_a_fix_line_says_what_the_contract_lists_and_its_protection_level_holds_the_longest_axis() -> None:
    line = json.loads(fix(1.5, 3.0).to_json())
    assert set(line) == {
        "t_us", "lat", "lon", "ground_lat", "ground_lon", "alt_msl_m", "yaw_deg", "cov_en_m2", "hpl_m", "source",
        "anchor_age_s", "quality", "latency_ms",
    }  # fmt: skip
    assert line["hpl_m"] == pytest.approx(3.717 * 2.0, abs=0.01)
    assert json.loads(NoFix(7, "no_match").to_json()) == {"t_us": 7, "no_fix": "no_match"}
    turn = math.radians(30)
    axes = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    cov = axes @ np.diag([25.0, 1.0]) @ axes.T
    slanted = Fix(0, 0, 0, None, None, None, None, (cov[0, 0], cov[0, 1], cov[1, 1]), "registration", 0, 0, 0)
    assert slanted.hpl_m == pytest.approx(3.717 * 5.0, abs=0.01)
