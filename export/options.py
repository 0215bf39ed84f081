"""Closed sets of words that commands offer in ``--help``; nothing heavy is imported here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, get_args

RangeRule: TypeAlias = Literal["max", "percentile", "entropy", "least-squares"]
"""How an activation's range is taken from what was measured: ``export.int8.ranges``."""
RANGE_RULES: tuple[RangeRule, ...] = get_args(RangeRule)
DEFAULT_RANGE_RULE: RangeRule = "least-squares"

ReducedPrecision: TypeAlias = Literal["fp16", "int8"]
"""What an FP32 graph is reduced to."""

DEFAULT_PATCH_PX = 320
"""Side of a frame's patch for local features, where nobody says otherwise."""


@dataclass(frozen=True, slots=True)
class Int8Choices:
    """The choices that a user has about an INT8 graph."""

    rule: RangeRule = DEFAULT_RANGE_RULE
    keep_float: tuple[str, ...] = ()
    """Patterns of nodes that stay float, whatever is measured."""
    gates: tuple[tuple[Path, Path], ...] = ()
    """Gate sets to judge on beside the built-in one: (flight, map) or (queries, gallery)."""
    report: Path | None = None
    """Where the report goes; BUNDLE/report where not given."""
    limit_s: float = 300.0
    """How long may be spent on measuring which nodes INT8 hurts."""
