"""What the four packages promise each other and their users' machines."""

from __future__ import annotations

import json
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
CONTRACT = {  # of the design's contracts; more may come
    "train.run",
    "train.evaluate",
    "export.onnx",
    "export.trt",
    "calib.int8",
    "runtime.tiles",
    "runtime.replay",
    "runtime.daemon",
    "runtime.doctor",
}
HEAVY = (
    "torch",
    "timm",
    "onnx",
    "onnxruntime",
    "matplotlib",
    "rasterio",
    "cv2",
    "numpy",
    "rich",
    "yaml",
    "safetensors",
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


def commands() -> list[str]:
    """Every module that ``python -m`` runs, found by its last lines."""
    files = [path for package in ("train", "export", "calib", "runtime") for path in (ROOT / package).rglob("*.py")]
    runs = [path.relative_to(ROOT) for path in files if '__name__ == "__main__"' in path.read_text(encoding="utf-8")]
    return sorted(".".join(path.with_suffix("").parts).removesuffix(".__main__") for path in runs)


def test_the_commands_of_the_contract_are_there() -> None:
    assert set(commands()) >= CONTRACT


# Every parser of a command, down to its subcommands, prints its help in place of parsing.
HELP_OF_ALL = """
import argparse, json, runpy
def told(parser):
    subs = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    return [parser.format_help()] + [text for a in subs for sub in a.choices.values() for text in told(sub)]
def parse_args(self, *args, **kwargs):
    print(json.dumps(told(self)))
    sys.exit(0)
argparse.ArgumentParser.parse_args = parse_args
sys.argv = [{module!r}, "--help"]
runpy.run_module({module!r}, None, "__main__")
"""


@pytest.mark.parametrize("module", commands())
def test_help_needs_nothing_heavy_and_teaches(module: str) -> None:
    done = run_without(HEAVY, HELP_OF_ALL.format(module=module))
    assert done.returncode == 0, done.stderr
    helps = json.loads(done.stdout)
    assert all(text.startswith("usage:") for text in helps)
    leaves = helps[1:] or helps
    assert all("--verbose" in text for text in leaves), "every command takes it"
    assert any("xample" in text for text in helps)


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
