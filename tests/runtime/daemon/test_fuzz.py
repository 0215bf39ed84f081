"""Some of the inputs of ``benchmarks/fuzz.py``: no exception but the documented, whatever a daemon reads of others."""

from __future__ import annotations

import importlib.util
import logging
import sys
from types import ModuleType

import pytest
from hypothesis import HealthCheck, given, settings

from tests.paths import ROOT

INPUTS = 2_000


def _targets() -> ModuleType:
    """Benchmarks are scripts and no package."""
    spec = importlib.util.spec_from_file_location("fuzz_targets", ROOT / "benchmarks/fuzz_targets.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


TARGETS = _targets().TARGETS


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_nothing_that_others_send_or_leave_breaks_the_daemon(target: object) -> None:
    logging.getLogger("runtime").setLevel(logging.CRITICAL)
    quiet = settings(max_examples=round(INPUTS * target.share), suppress_health_check=list(HealthCheck))
    taken = 0

    def take(given_input: object) -> None:
        nonlocal taken
        target.take(given_input)
        taken += 1

    try:
        quiet(given(target.inputs)(take))()
        assert taken, "it took every input, and some came"
    finally:
        logging.getLogger("runtime").setLevel(logging.NOTSET)
