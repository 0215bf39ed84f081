from __future__ import annotations

from dataclasses import replace

import pytest

from export.int8.gates import GateResult, SetResult
from runtime.errors import GateError

GOOD = SetResult("set", "0" * 64, 1000, 500, 0.80, 0.80, 0.0, 20.0, 20.0, 0.0)


PASSED = GateResult(64, 0.995, 0.97, (GOOD,))


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (replace(PASSED, cosine_worst=0.89), "worst cosine 0.8900, needs 0.9"),
        (replace(PASSED, cosine_mean=0.985), "mean cosine 0.9850, needs 0.99"),
        (replace(PASSED, cosine_mean=float("nan")), "mean cosine nan"),
        (replace(PASSED, sets=(replace(GOOD, r1=0.794),)), "R@1 0.794, FP32 0.800, on 1000 queries of set"),
        (replace(PASSED, sets=(replace(GOOD, r1=float("nan")),)), "R@1 nan"),
        (replace(PASSED, sets=(GOOD, replace(GOOD, p90_m=20.6))), "90% of set within 20.6 m, FP32 20.0 m"),
    ],
)
def test_what_a_reduced_graph_loses_is_refused_with_the_figure(result: GateResult, message: str) -> None:
    PASSED.check("int8")
    with pytest.raises(GateError, match=message.replace(".", r"\.")):
        result.check("int8")


def test_a_loss_that_chance_explains_passes() -> None:
    lucky = replace(GOOD, r1=0.792, r1_loss_error=0.004, p90_m=20.9, p90_loss_error=0.03)
    assert lucky.failure() is None
    assert replace(lucky, r1_loss_error=0.001).failure()
