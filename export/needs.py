"""Optional packages are asked for before the work, not in the middle of it."""

from __future__ import annotations

import importlib.util

from runtime.errors import MissingPackageError


def require(*packages: str, extra: str) -> None:
    """Raise MissingPackageError for the first package that is not installed, naming the extra that brings it."""
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise MissingPackageError(package, extra)
