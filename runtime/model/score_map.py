"""From similarity to probability, as ``calib.score`` fitted it on recorded flights.

``score.json`` in a bundle, format 1: ``format`` and ``precisions`` ({precision: {``temperature``, ``outlier_share``,
``encoder_sha256``, and for people ``flights`` and ``held_out``}}); the manifest's ``files`` has its hash.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from runtime.errors import BundleError
from runtime.model.bundle import ENCODER_FILES, Bundle
from runtime.model.manifest import JsonObject, Precision

FORMAT = 1
SCORE_FILE = "score.json"
_FIT = "python -m calib.score FLIGHT --tiles AREA.tiles --out score.json --bundle"


@dataclass(frozen=True, slots=True)
class ScoreMap:
    """The probability that a frame shows a tile: p = (1 - e) softmax(s / T) + e / N for N tiles of cosines s.

    T is ``temperature``, e ``outlier_share``: in that share of frames the cosines say nothing.

    Source: Guo et al., On calibration of modern neural networks, ICML 2017, for the temperature; the uniform part is
    ``p_rand`` of Thrun, Burgard and Fox, Probabilistic Robotics, section 6.3.
    """

    temperature: float
    outlier_share: float


def score_map(bundle: Bundle, precision: Precision) -> ScoreMap | None:
    """Return the calibration of a bundle's graph, None where it has none; raises BundleError for one not to trust."""
    if SCORE_FILE not in bundle.manifest.files:
        return None
    fitted = read_scores(bundle).get(precision)
    if fitted is None:
        return None
    mend = f"fit it again: {_FIT} {bundle.path}"
    try:
        score = ScoreMap(float(fitted["temperature"]), float(fitted["outlier_share"]))
        fitted_to = str(fitted["encoder_sha256"])
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"{bundle.path / SCORE_FILE} cannot be read ({error!r}); {mend}") from None
    if not (0 < score.temperature < float("inf") and 0 <= score.outlier_share <= 1):
        raise BundleError(f"{bundle.path / SCORE_FILE} says {score}, which no fit gives; {mend}")
    graph = bundle.sha256(ENCODER_FILES[precision])
    if fitted_to != graph:
        raise BundleError(
            f"{bundle.path / SCORE_FILE} was fitted to another {precision} graph ({fitted_to[:12]}) than the "
            f"bundle's ({graph[:12]}); {mend}"
        )
    return score


def read_scores(bundle: Bundle) -> Mapping[str, JsonObject]:
    """Read the entry of each precision in the bundle's ``score.json``; raises BundleError."""
    path = bundle.file(SCORE_FILE)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BundleError(f"{path} is not JSON ({error}); {_FIT} {bundle.path}") from None
    version = document.get("format") if isinstance(document, dict) else None
    if version != FORMAT or not isinstance(document.get("precisions"), dict):
        raise BundleError(
            f"{path} has score format {version}; this Skyfix reads {FORMAT}: update it, or {_FIT} {bundle.path}"
        )
    precisions: dict[str, JsonObject] = document["precisions"]
    return precisions
