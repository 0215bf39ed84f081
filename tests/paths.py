"""Where tests find the checkout, and what may lie beside it."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"
"""Real flights and pictures; no part of the project, so that tests of them skip where it is missing."""
