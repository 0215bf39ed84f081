"""A device is brought its graphs: building engines of them needs neither onnx nor what training needs."""

from __future__ import annotations

import subprocess
import sys

from tests.paths import ROOT

ABSENT = ("onnx", "onnxscript", "torch", "timm", "matplotlib", "rasterio", "pmtiles", "ray")


def test_engines_are_built_where_there_is_no_onnx_and_no_torch() -> None:
    code = f"import sys; sys.modules.update(dict.fromkeys({ABSENT}))\nimport export.trt, export.engines.selection"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
