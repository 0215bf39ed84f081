"""Packages are asked for before the work, by the extra that brings them."""

from __future__ import annotations

import pytest

from export.needs import require
from runtime.errors import MissingPackageError


def test_the_first_package_that_is_missing_is_named_with_its_extra() -> None:
    require("json", "numpy", extra="export")
    with pytest.raises(MissingPackageError, match=r"no_such_a is not installed; .*: pip install 'skyfix\[matcher\]'"):
        require("json", "no_such_a", "no_such_b", extra="matcher")
