"""From files to a localizer: which local features it gets, and what is said where there are none."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from runtime.errors import BundleError, CacheEngineError
from runtime.fix import Fix, NoFix
from runtime.flights.flight import Flight
from runtime.frame import Frame
from runtime.locate.load import open_localizer
from runtime.locate.localizer import Localizer
from runtime.tiles.cache import TileCache


def opened(tiles: Path, flight: Flight, bundle: Path | None, matcher: Path | bool | None = None) -> Localizer:
    return open_localizer(
        TileCache.open(tiles),
        flight.camera,
        bundle=bundle,
        matcher=matcher,
        start=None,
        threads=1,  # type: ignore[arg-type]
    )


def test_an_encoder_s_own_features_are_taken_without_being_asked_for(
    town: Path, flight: Flight, frames: list[Frame]
) -> None:
    verdict = opened(town, flight, None).step(frames[0])
    assert isinstance(verdict, Fix)
    assert verdict.source == "registration"


def test_other_features_may_be_given_beside_an_encoder_without_any(
    toy_tiles: Path, toy_bundle: Path, default_bundle: Path, flight: Flight, frames: list[Frame]
) -> None:
    localizer = opened(toy_tiles, flight, toy_bundle, default_bundle)
    verdicts = [localizer.step(frame) for frame in frames]
    assert any(isinstance(v, Fix) and v.source == "registration" for v in verdicts)


def test_without_features_one_warning_says_what_that_costs_and_how_to_mend_it(
    *,
    toy_tiles: Path,
    toy_bundle: Path,
    flight: Flight,
    frames: list[Frame],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with caplog.at_level(logging.WARNING):
        localizer = opened(toy_tiles, flight, toy_bundle)
    (record,) = caplog.records
    assert "fixes come from retrieval alone" in record.getMessage()
    assert "python -m train.local" in record.getMessage()
    assert isinstance(localizer.step(frames[0]), NoFix)


def test_retrieval_alone_that_was_asked_for_is_no_warning(
    toy_tiles: Path, toy_bundle: Path, flight: Flight, caplog: pytest.LogCaptureFixture
) -> None:
    opened(toy_tiles, flight, toy_bundle, matcher=False)
    assert not caplog.records


def test_a_bundle_that_did_not_build_the_cache_is_refused(
    toy_tiles: Path, other_bundle: Path, flight: Flight, tmp_path: Path
) -> None:
    with pytest.raises(CacheEngineError, match="give its --bundle or build again"):
        opened(toy_tiles, flight, other_bundle)
    with pytest.raises(BundleError, match="no bundle"):
        opened(toy_tiles, flight, tmp_path / "none")
