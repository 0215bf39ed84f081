"""The house is as its documents say: the drawing is of today's imports, arrows run down, words are explained."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import get_args

import pytest

from runtime.fix import FixSource, NoFixReason
from tests.paths import ROOT

PACKAGES = ("train", "export", "calib", "runtime")
MODULES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def test_the_drawing_is_of_the_house_as_it_stands() -> None:
    done = subprocess.run([sys.executable, "docs/floor_plan.py", "--check"], cwd=ROOT, check=False)
    assert done.returncode == 0, "draw it again: python docs/floor_plan.py"


def test_a_room_stands_above_all_that_it_imports() -> None:
    spec = importlib.util.spec_from_file_location("floor_plan", ROOT / "docs/floor_plan.py")
    assert spec is not None and spec.loader is not None
    plan = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(plan)
    lines, arrows = plan.house()
    floor = plan.floors(arrows)
    assert sum(lines.values()) == sum(len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES)
    upward = [(a, b) for a, others in arrows.items() for b in others if floor[a] <= floor[b]]
    assert not upward, "two rooms need each other"


@pytest.mark.parametrize("reason", [*get_args(NoFixReason), *get_args(FixSource)])
def test_every_verdict_is_explained(reason: str) -> None:
    assert f"`{reason}`" in (ROOT / "docs/formats.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("package", sorted({path.parent for path in MODULES}), ids=lambda p: str(p.relative_to(ROOT)))
def test_every_room_has_a_plan_of_its_modules(package: Path) -> None:
    plan = ast.get_docstring(ast.parse((package / "__init__.py").read_text(encoding="utf-8"))) or ""
    unsaid = [path.stem for path in package.glob("*.py") if path.stem not in plan and not path.stem.startswith("__")]
    assert not unsaid, f"{package.relative_to(ROOT)}/__init__.py says nothing of {', '.join(unsaid)}"


def test_every_name_on_the_three_trips_is_one_of_the_house() -> None:
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    trips = text[text.index("## Three trips") : text.index("## Glossary")]
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in MODULES]
    defined = {
        node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    there = defined | {path.stem for path in MODULES}
    lost = [name for name in re.findall(r"`([A-Za-z_.0-9]+)`", trips) if name.split(".")[-1] not in there]
    assert not lost


def test_a_class_name_stands_once() -> None:
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in MODULES]
    names = Counter(node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    again = [name for name, count in names.items() if count > 1 and not name.startswith("_")]
    assert not again


def test_no_first_line_of_a_docstring_needs_its_neighbour() -> None:
    dangling = ("Of ", "The same", "Those", "As ", "Which ")
    lines = [
        f"{path.relative_to(ROOT)}:{node.lineno} {doc.splitlines()[0]}"
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and (doc := ast.get_docstring(node))
        if doc.startswith(dangling)
    ]
    assert not lines
