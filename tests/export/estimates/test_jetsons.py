"""The peaks of the modules, against the data sheets' sums."""

from __future__ import annotations

import pytest

from export.estimates.jetsons import ESTIMATED_PRECISIONS, MODULES


@pytest.mark.parametrize("name", MODULES)
def test_half_the_bits_are_twice_the_operations_on_tensor_cores(name: str) -> None:
    module = MODULES[name]
    assert module.tops("int8") / module.tops("fp16") == pytest.approx(2, rel=0.06)  # to the rounding of the sheets
    assert module.tops("fp32") < module.tops("fp16")


def test_a_faster_mode_of_one_module_is_faster_in_everything() -> None:
    usual, fast = MODULES["orin-nano"], MODULES["orin-nano-super"]
    assert all(fast.tops(precision) > usual.tops(precision) for precision in ESTIMATED_PRECISIONS)
    assert fast.memory_gb_s > usual.memory_gb_s


def test_modules_are_listed_from_the_slowest_to_the_fastest_in_int8_but_for_the_super_mode() -> None:
    peaks = [MODULES[name].tops("int8") for name in ("orin-nano", "orin-nx", "agx-orin", "thor")]
    assert peaks == sorted(peaks)
