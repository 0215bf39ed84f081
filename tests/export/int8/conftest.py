"""A report whose figures are known."""

from __future__ import annotations

import pytest

from export.int8.gates import GateResult
from export.int8.layers import LayerNoise
from export.int8.report import Report
from export.int8.sensitivity import Sensitivity
from tests.export.int8.reported import MADE, PLAIN, embeddings


@pytest.fixture
def report() -> Report:
    return Report(
        bundle="edge",
        rule="max",
        calibrated_on=192,
        set_sha256="c" * 64,
        results={"int8": GateResult(64, 0.995, 0.97, (PLAIN, MADE))},
        megabytes={"fp32": 13.4, "int8": 3.9},
        layers=[LayerNoise(f"backbone.{i}/Conv_{i}", "Conv", i != 3, 40.0 - i) for i in range(7)],
        kept_float=["backbone.3/Conv_3"],
        ranking=[Sensitivity("backbone.3/Conv_3", 0.0123), Sensitivity("backbone.5/Conv_5", 0.001)],
        fp32=embeddings(0),
        int8=embeddings(0),
    )
