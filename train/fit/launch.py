"""A run as the command starts it: its settings from flags, ended by Ctrl-C, with a line now and then on how it goes."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime.errors import SettingsError
from runtime.progress import progress
from runtime.types import Tick
from train.choices import PresetName
from train.fit.distributed import start_ranks
from train.fit.fit import RunOutcome, fit, read_spec
from train.fit.log_line import LogLine
from train.model.bundle_weights import bundle_of, encoder_settings
from train.options import RunRequest
from train.spec import PRESETS, TrainSpec

logger = logging.getLogger(__name__)

_LINES_EVERY = 20  # steps, where there is no bar
_BAR_PARTS = 1000


def launch(request: RunRequest) -> None:
    """Train as ``request`` says, among the other processes of the run, and log what came of it; raises SkyfixError."""
    with start_ranks() as ranks:
        spec, out = choose_spec(request)
        with _finish_on_interrupt(announce=ranks.is_first) as stop, progress("train", shown=ranks.is_first) as tick:
            outcome = fit(
                spec, out, resume=request.resume is not None, on_line=_line_logger(tick), stop=stop, ranks=ranks
            )
        if outcome is not None:
            _log_outcome(outcome, out)


def choose_spec(request: RunRequest) -> tuple[TrainSpec, Path]:
    """Return the spec that a command line asks for, and the run's folder; raises SkyfixError."""
    settings = dict(request.settings)
    if request.resume is not None:
        stray = [flag for flag, value in (("--preset", request.preset), ("--out", request.out)) if value is not None]
        if stray:
            raise SettingsError(f"--resume keeps the settings and the folder of the run; drop {' and '.join(stray)}")
        return read_spec(request.resume).changed(settings), request.resume
    if "minutes" in settings:
        settings.setdefault("steps", sys.maxsize)  # the clock alone decides
    init: str = settings.get("encoder.init", "")
    preset: PresetName = request.preset or ("adapt" if bundle_of(init) else "edge")
    settings = {**encoder_settings(init), **settings}
    logger.debug("preset %s with %s", preset, settings)
    return PRESETS[preset].changed(settings), request.out or Path("runs") / preset


def _line_logger(tick: Tick) -> Callable[[LogLine, float], None]:
    """Return what moves the bar on and logs validations always, and steps now and then where there is no bar."""

    def log_line(line: LogLine, done: float) -> None:
        tick(round(done * _BAR_PARTS), _BAR_PARTS)
        values = line.values
        if line.is_validation:
            r1, r5, ap = values["r1"], values["r5"], values["ap"]
            logger.info(f"step {line.step}: held-out R@1 {r1:.1%} R@5 {r5:.1%} AP {ap:.1%}")
        elif line.step % _LINES_EVERY == 1 and not sys.stderr.isatty():
            logger.info(
                f"step {line.step}: loss {values['loss']:.3f} lambda {values['lambda_t']:.2f} "
                f"{done:.0%} after {line.elapsed_s:.0f} s"
            )

    return log_line


def _log_outcome(outcome: RunOutcome, out: Path) -> None:
    """Log where the files are, how good the encoder is, and what may come next."""
    summary = outcome.summary
    logger.info(f"{summary.steps} steps in {summary.elapsed_s / 60:.1f} min")
    logger.info(f"pictures: {', '.join(map(str, outcome.pictures))}")
    logger.info(f"figures: {out}/log.jsonl; live: tensorboard --logdir {out}")
    if outcome.stopped:
        logger.info(f"stopped; go on with: python -m train.run --resume {out}")
        return
    shares = (summary.r1_before, summary.r1_last, summary.r1_best)
    before, last, best = ("unknown" if r1 is None else f"{r1:.1%}" for r1 in shares)
    logger.info(f"R@1 on held-out places: {before} before training, {last} at the end, {best} at best")
    if summary.r1_before is not None and summary.r1_best is not None and summary.r1_best < summary.r1_before:
        logger.warning("it is no better than what it started from: keep that, or give more places and a smaller --lr")
    logger.info(
        f"encoder: {out}/best.safetensors; next: python -m export.onnx {out}/best.safetensors --out NAME.bundle"
    )


@contextmanager
def _finish_on_interrupt(*, announce: bool) -> Iterator[Callable[[], bool]]:
    """Yield a ``stop()`` that turns true at the first Ctrl-C; a second one interrupts at once."""
    interrupted = False

    def on_signal(_number: int, _frame: object) -> None:
        nonlocal interrupted
        interrupted = True
        signal.signal(signal.SIGINT, before)
        if announce:
            logger.info("finishing the step and saving; Ctrl-C again to drop it")

    before = signal.signal(signal.SIGINT, on_signal)
    try:
        yield lambda: interrupted
    finally:
        signal.signal(signal.SIGINT, before)
