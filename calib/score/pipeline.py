"""From recorded flights to a ``score.json``: search every frame, fit, judge on frames held out, write, store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from calib.drawing import write_picture
from calib.score.fit import WARMEST, fit
from calib.score.judge import JudgedFrames, judge, judge_held_out
from calib.score.pictures import reliability_picture, similarity_picture
from calib.score.queries import GatheredQueries, Query, check_enough, gather
from calib.score.store import HeldOutScores, ScoreEntry, listed, store, write_scores
from runtime.errors import DataError, SettingsError
from runtime.flights.flight import Flight
from runtime.flights.truth import read_truth
from runtime.locate.retrieve import UNFITTED
from runtime.model.engine import Engine
from runtime.model.load import open_engine
from runtime.model.score_map import ScoreMap
from runtime.progress import progress
from runtime.tiles.cache import TileCache

_LEAST_FRAMES = 30  # of fewer, one frame more or less moves the outlier share by several points
_MOST_OUTLIERS = 0.9


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """A fit that ``python -m calib.score`` is asked for."""

    flights: tuple[Path, ...]
    tiles: tuple[Path, ...]  # one for all flights, or one each
    out: Path
    bundle: Path | None = None  # None: the default encoder, and nothing is stored
    threads: int = 0

    def __post_init__(self) -> None:
        """Raise SettingsError for a file of another kind, or a flight that is given twice."""
        if self.out.suffix != ".json":
            raise SettingsError(f"{self.out} must end in .json")
        resolved = [path.resolve() for path in self.flights]
        for i, path in enumerate(self.flights):
            if resolved[i] in resolved[:i]:
                raise SettingsError(f"{path} is given twice: a flight cannot be held out from itself")


def fit_scores(request: ScoreRequest) -> Iterator[str]:
    """Fit, judge, write, and yield what to tell.

    Raises DataError, CacheEngineError or FlightError; a fit that does not help is written but not stored in the bundle.
    """
    caches_at = {path: TileCache.open(path) for path in request.tiles}
    tiles = request.tiles if len(request.tiles) > 1 else request.tiles * len(request.flights)
    flights, caches = [Flight.open(path) for path in request.flights], [caches_at[path] for path in tiles]
    engine = open_engine(request.bundle, caches[0].metadata.encoder.precision, request.threads)
    gathered = _gather_all(flights, caches, engine)
    check_enough(gathered, _LEAST_FRAMES)
    queries = [query for of_flight in gathered for query in of_flight.queries]
    fitted = fit(queries)
    _check_fit(fitted, queries)
    after, how = judge_held_out([of_flight.queries for of_flight in gathered])
    before = judge(UNFITTED, queries)
    pictures = {"reliability": reliability_picture(before, after, how), "similarity": similarity_picture(queries)}
    for name, picture in pictures.items():
        write_picture(picture, request.out.with_suffix(f".{name}.png"))
    entry = ScoreEntry(
        temperature=round(fitted.temperature, 6),
        outlier_share=round(fitted.outlier_share, 6),
        encoder_sha256=engine.encoder_sha256,
        flights=listed(flights, caches, gathered),
        held_out=HeldOutScores(how, len(queries), before.summary(), after.summary()),
    )
    write_scores(request.out, {engine.precision: entry.as_json()})
    yield from describe(request.out, entry)
    if request.bundle:
        _check_better(request.bundle, before, after)
        yield f"  stored in        {store(request.bundle, engine.precision, entry)}, for {engine.precision}"


def describe(out: Path, entry: ScoreEntry) -> Iterator[str]:
    """Yield what to tell of a fit, line by line."""
    held_out = entry.held_out
    frames = f"{held_out.frames} of {sum(flight.frames for flight in entry.flights)} frames"
    yield f"{out}: {frames}; beside it what to look at, .reliability.png and .similarity.png"
    for flight in entry.flights:
        for reason, count in flight.left_out.items():
            yield f"  left out         {count} of {flight.name}: {reason}"
    yield f"  temperature      {entry.temperature:.4f}"
    yield f"  outlier share    {entry.outlier_share:.3f}"
    yield f"  judged           {held_out.how}"
    for name, summary in (("default", held_out.default), ("fitted", held_out.fitted)):
        places = f"places said {summary.mean_probability:.0%}, were right {summary.right:.0%}"
        yield f"  {name:<16} NLL {summary.nll:.3f} nats, ECE {summary.ece:.3f}: {places}"


def _gather_all(flights: Sequence[Flight], caches: Sequence[TileCache], engine: Engine) -> list[GatheredQueries]:
    """Search every frame of every flight; raises CacheEngineError before the first."""
    truths = [read_truth(flight.path / "truth.csv") for flight in flights]
    for cache in caches:
        cache.check_engine(engine)
    done, total = 0, sum(len(flight.images) for flight in flights)
    with progress("frames") as show:

        def tick() -> None:
            nonlocal done
            done += 1
            show(done, total)

        return [
            gather(flight, truth, cache, engine, tick)
            for flight, truth, cache in zip(flights, truths, caches, strict=True)
        ]


def _check_fit(fitted: ScoreMap, queries: Sequence[Query]) -> None:
    """Raise DataError where similarities say nothing of the place."""
    right = sum(query.place_is_right for query in queries)
    if right == 0 or fitted.outlier_share > _MOST_OUTLIERS or fitted.temperature > 0.99 * WARMEST:
        raise DataError(
            f"the best tile is right in {right} of {len(queries)} frames, outlier share {fitted.outlier_share:.2f}: "
            "similarities say nothing here; is it the right map and camera.yaml, is cam_yaw_deg clockwise from true "
            "north, cam_pitch_deg -90 straight down? Look at the flight: python -m runtime.replay --map"
        )


def _check_better(bundle: Path, before: JudgedFrames, after: JudgedFrames) -> None:
    """Raise DataError where the fit does not help frames that it has not seen."""
    if not after.nll.mean() < before.nll.mean():  # not >=, so that NaN fails too
        raise DataError(
            f"{bundle} is left as it was: on held-out frames the fit (NLL {after.nll.mean():.3f}) is no better than "
            f"the default (NLL {before.nll.mean():.3f}); the default will do, or give more flights, over more places"
        )
