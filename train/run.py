"""``python -m train.run``: train an encoder."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runtime.command import run_command
from runtime.errors import SettingsError
from runtime.progress import progress
from train.options import build_parser

if TYPE_CHECKING:
    from train.spec import TrainSpec


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0 trained (or stopped and saved), 1 an error told in one line, 2 usage."""
    given = vars(build_parser().parse_args(argv))
    return run_command("train.run", lambda: _train(given))


def _train(given: dict[str, Any]) -> None:
    from train.fit.distributed import start_ranks  # torch loads here: --help stays instant
    from train.fit.fit import fit

    with start_ranks() as ranks:
        spec, out = chosen_spec(given)
        say = _say if ranks.is_first else lambda text: None
        with _finish_on_interrupt(say) as stop, progress("train", shown=ranks.is_first) as tick:
            summary = fit(spec, out, resume="resume" in given, tell=_teller(tick), stop=stop, ranks=ranks)
        if ranks.is_first:
            _tell_summary(summary, out)


def chosen_spec(given: dict[str, Any]) -> tuple[TrainSpec, Path]:
    """The spec that flags ask for, and the run's folder; raises SettingsError."""
    from train.fit.fit import read_spec
    from train.model.bundle_weights import bundle_of, encoder_settings
    from train.spec import PRESETS

    settings = {path: value for path, value in given.items() if path not in ("preset", "out", "resume")}
    if "data" in settings:
        settings["data"] = tuple(settings["data"])
    if "resume" in given:
        if stray := [f"--{name}" for name in ("preset", "out") if name in given]:
            raise SettingsError(f"--resume keeps the settings and the folder of the run; drop {' and '.join(stray)}")
        return read_spec(given["resume"]).changed(settings), given["resume"]
    if "minutes" in settings:
        settings.setdefault("steps", sys.maxsize)  # the clock alone decides
    init = settings.get("encoder.init", "")
    preset = given.get("preset", "adapt" if bundle_of(init) else "edge")
    settings = {**encoder_settings(init), **settings}
    return PRESETS[preset].changed(settings), given.get("out", Path("runs") / preset)


def _tell_summary(summary: dict[str, Any], out: Path) -> None:
    _say(f"{summary['steps']} steps in {summary['elapsed_s'] / 60:.1f} min")
    _say(f"pictures: {', '.join(summary['pictures'])}")
    _say(f"figures:  {out}/log.jsonl; live: tensorboard --logdir {out}")
    if summary["stopped"]:
        _say(f"stopped; go on with: python -m train.run --resume {out}")
        return
    scores = (summary[name] for name in ("r1_before", "r1_last", "r1_best"))
    before, last, best = ("unknown" if r1 is None else f"{r1:.1%}" for r1 in scores)
    _say(f"R@1 on held-out places: {before} before training, {last} at the end, {best} at best")
    if (
        summary["r1_before"] is not None
        and summary["r1_best"] is not None
        and summary["r1_best"] < summary["r1_before"]
    ):
        _say("it is no better than what it started from: keep that, or give more places and a smaller --lr")
    _say(f"encoder:  {out}/best.safetensors; next: python -m export.onnx {out}/best.safetensors --out NAME.bundle")


def _teller(tick: Callable[[int, int], None]) -> Callable[[dict[str, Any], float], None]:
    """Validation lines always, step lines now and then where there is no bar."""

    def tell(line: dict[str, Any], done: float) -> None:
        tick(round(done * 1000), 1000)
        if "r1" in line:
            _say(f"step {line['step']}: held-out R@1 {line['r1']:.1%}  R@5 {line['r5']:.1%}  AP {line['ap']:.1%}")
        elif line["step"] % 20 == 1 and not sys.stderr.isatty():
            _say(
                f"step {line['step']}: loss {line['loss']:.3f}  lambda {line['lambda_t']:.2f}  "
                f"{done:.0%} after {line['elapsed_s']:.0f} s"
            )

    return tell


@contextmanager
def _finish_on_interrupt(say: Callable[[str], None]) -> Iterator[Callable[[], bool]]:
    """``stop()`` turns true at the first Ctrl-C; a second one interrupts at once."""
    asked = False

    def on_signal(_number: int, _frame: object) -> None:
        nonlocal asked
        asked = True
        signal.signal(signal.SIGINT, before)
        say("finishing the step and saving; Ctrl-C again to drop it")

    before = signal.signal(signal.SIGINT, on_signal)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, before)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
