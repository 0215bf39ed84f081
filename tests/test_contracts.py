"""What the four packages promise each other and their users' machines."""

from __future__ import annotations

import importlib.util
import pkgutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import runtime

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(runtime.__file__).parents[1]
TRAINING = ("torch", "timm", "onnx", "onnxscript", "matplotlib", "train", "export", "calib")
COMMANDS = (
    "train.run",
    "train.evaluate",
    "train.ablation",
    "train.world",
    "export.onnx",
    "export.trt",
    "export.matcher",
    "calib.camera",
    "calib.int8",
    "calib.score",
    "runtime.tiles",
    "runtime.tiles build",
    "runtime.tiles info",
    "runtime.tiles verify",
    "runtime.tiles crop",
    "runtime.tiles merge",
    "runtime.replay",
    "runtime.daemon",
    "runtime.doctor",
)


def run_without(forbidden: Sequence[str], code: str) -> subprocess.CompletedProcess[str]:
    """``code`` in a new interpreter in which the forbidden modules cannot be imported."""
    guard = f"import sys; sys.modules.update(dict.fromkeys({list(forbidden)}, None))\n"
    return subprocess.run([sys.executable, "-c", guard + code], capture_output=True, text=True, cwd=ROOT, check=False)


def test_runtime_imports_without_training_packages_and_without_rasterio() -> None:
    modules = [m.name for m in pkgutil.walk_packages(runtime.__path__, "runtime.")]
    assert "runtime.locate.localizer" in modules
    wanted = [name for name in modules if not name.endswith(("__main__", "engine_trt"))]
    done = run_without([*TRAINING, "rasterio", "pmtiles", "ray"], f"import {', '.join(wanted)}")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_help_needs_nothing_heavy(command: str) -> None:
    module, *rest = command.split()
    try:
        found = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        found = None
    if found is None:
        pytest.skip(f"{module} is not there yet")
    heavy = ("torch", "timm", "onnx", "onnxruntime", "matplotlib", "rasterio", "cv2", "numpy", "rich")
    code = f"import runpy; sys.argv = [{module!r}, *{rest}, '--help']; runpy.run_module({module!r}, None, '__main__')"
    done = run_without(heavy, code)
    assert done.returncode == 0, done.stderr
    assert "usage:" in done.stdout
    assert "xample" in done.stdout or rest[:1] in (["info"], ["verify"]) or command == "runtime.tiles"


@pytest.mark.parametrize(
    ("release", "own"), [("5.15.148-tegra", False), ("6.8.12-tegra", False), ("6.8.0-45-generic", True), ("", True)]
)
def test_a_jetson_keeps_its_own_opencv_and_onnx_runtime(release: str, own: bool) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    environment = {"platform_release": release, "python_version": "3.10"}
    needed = {
        requirement.name
        for requirement in map(Requirement, project["dependencies"])
        if requirement.marker is None or requirement.marker.evaluate(environment)
    }
    assert {"numpy", "safetensors", "pyyaml", "tomli"} <= needed
    assert ("opencv-python-headless" in needed) is own
    assert ("onnxruntime" in needed) is own
    assert not needed & {"torch", "timm", "onnx", "onnxscript", "matplotlib"}
