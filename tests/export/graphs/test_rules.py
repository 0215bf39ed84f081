"""Rules are data: they are there without docstrings, and each has the check of its own."""

from __future__ import annotations

import re
import subprocess
import sys

from export.graphs.breaches import BREACHES
from export.graphs.rules import RULES
from tests.paths import ROOT

BLOCKED = ("numpy", "onnx", "torch", "cv2", "rich", "onnxruntime")


def interpreter(flags: list[str], code: str) -> str:
    """What ``code`` prints in a new interpreter in which nothing heavy can be imported."""
    guard = f"import sys; sys.modules.update(dict.fromkeys({BLOCKED}))\n"
    command = [sys.executable, *flags, "-c", guard + code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_rule_has_its_check_and_every_check_its_rule_in_the_order_of_their_numbers() -> None:
    numbers = [rule.id for rule in RULES]
    assert numbers == sorted(numbers) == [f"SF{n:02}" for n in range(1, len(RULES) + 1)]
    assert set(BREACHES) == set(numbers)


def test_a_rules_text_is_a_line_that_needs_no_neighbour() -> None:
    for rule in RULES:
        assert rule.text and "\n" not in rule.text and len(rule.text) > 20
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", rule.name)


def test_help_states_every_rule_without_docstrings_and_without_numpy() -> None:
    code = "import runpy; sys.argv = ['export.lint', '--help']; runpy.run_module('export.lint', None, '__main__')"
    with_docstrings, without = interpreter([], code), interpreter(["-OO"], code)
    assert without == with_docstrings
    for rule in RULES:
        assert f"{rule.id} {rule.name}\n       {rule.text}\n" in without
