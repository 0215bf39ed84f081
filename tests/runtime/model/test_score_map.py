"""A calibration is flown with only where it is of this graph and could be a fit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runtime.errors import BundleError
from runtime.model.bundle import Bundle, file_entry, write_manifest
from runtime.model.score_map import ScoreMap, read_scores, score_map


def with_scores(folder: Path, text: str) -> Bundle:
    """The bundle with this ``score.json``."""
    (folder / "score.json").write_text(text)
    entry = file_entry(folder / "score.json", "fp32")
    write_manifest(folder, Bundle.open(folder).manifest.with_files({"score.json": entry}))
    return Bundle.open(folder)


def scores(folder: Path, **changes: Any) -> dict[str, Any]:
    graph = Bundle.open(folder).sha256("encoder.onnx")
    entry = {"temperature": 0.02, "outlier_share": 0.1, "encoder_sha256": graph, "flights": [], **changes}
    return {"format": 1, "precisions": {"fp32": {k: v for k, v in entry.items() if v is not None}}}


def test_a_bundle_without_a_fit_or_with_one_of_another_precision_states_none(mean_bundle: Path) -> None:
    assert score_map(Bundle.open(mean_bundle), "fp32") is None
    bundle = with_scores(mean_bundle, json.dumps(scores(mean_bundle)))
    assert score_map(bundle, "int8") is None
    assert score_map(bundle, "fp32") == ScoreMap(0.02, 0.1)


@pytest.mark.parametrize("share", [0, 1])
def test_all_and_none_are_shares_of_outliers(mean_bundle: Path, share: int) -> None:
    bundle = with_scores(mean_bundle, json.dumps(scores(mean_bundle, outlier_share=share)))
    assert score_map(bundle, "fp32") == ScoreMap(0.02, share)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"temperature": 0}, "which no fit gives"),
        ({"temperature": -0.1}, "which no fit gives"),
        ({"temperature": float("nan")}, "which no fit gives"),
        ({"temperature": float("inf")}, "which no fit gives"),
        ({"outlier_share": 1.01}, "which no fit gives"),
        ({"outlier_share": float("nan")}, "which no fit gives"),
        ({"temperature": "warm"}, "cannot be read"),
        ({"temperature": [0.02]}, "cannot be read"),
        ({"outlier_share": None}, "cannot be read"),
        ({"encoder_sha256": None}, "cannot be read"),
        ({"encoder_sha256": "f" * 64}, r"was fitted to another fp32 graph \(ffffffffffff\)"),
    ],
)
def test_a_fit_that_cannot_be_trusted_is_refused_with_the_command_that_fits_again(
    mean_bundle: Path, changes: dict[str, Any], message: str
) -> None:
    bundle = with_scores(mean_bundle, json.dumps(scores(mean_bundle, **changes)))
    with pytest.raises(BundleError, match=message) as refused:
        score_map(bundle, "fp32")
    assert (
        f"fit it again: python -m calib.score FLIGHT --tiles AREA.tiles --out score.json --bundle {mean_bundle}"
        in str(refused.value)
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "has score format None"),
        ('{"format": 2, "precisions": {}}', "has score format 2; this Skyfix reads 1: update it, or python -m calib"),
        ('{"format": 1, "precisions": []}', "has score format 1"),
    ],
)
def test_a_file_of_another_kind_is_refused(mean_bundle: Path, text: str, message: str) -> None:
    bundle = with_scores(mean_bundle, text)
    with pytest.raises(BundleError, match=message):
        read_scores(bundle)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.write_text(path.read_text() + " "), "was altered"),
        (lambda path: path.unlink(), "is missing though the manifest names it"),
    ],
    ids=["one blank more", "gone"],
)
def test_a_file_that_was_changed_by_hand_is_refused(
    mean_bundle: Path, spoil: Callable[[Path], object], message: str
) -> None:
    bundle = with_scores(mean_bundle, json.dumps(scores(mean_bundle)))
    spoil(mean_bundle / "score.json")
    with pytest.raises(BundleError, match=message):
        score_map(bundle, "fp32")
