"""What a run tells as it goes: ``log.jsonl``, which is the source, and TensorBoard's events where that is installed."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runtime.files import write_text_whole
from train.plots import read_log

LOG, EVENTS = "log.jsonl", "tensorboard"

Tell = Callable[[str], None]


class RunLog:
    """One line a step, one a validation; lines of steps that a resumed run takes again are dropped."""

    def __init__(self, out: Path, *, keep_steps: int, tell: Tell) -> None:
        """``keep_steps`` is the last step to keep of what is there, -1 for none."""
        self._path = out / LOG
        self.lines = [line for line in read_log(self._path) if line["step"] <= keep_steps]
        write_text_whole(self._path, "".join(json.dumps(line) + "\n" for line in self.lines))
        self._writer = _event_writer(out / EVENTS, keep_steps + 1, tell)

    def add(self, line: dict[str, Any]) -> None:
        """A line with a ``step``."""
        self.lines.append(line)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        if self._writer is None:
            return
        group = "held-out" if "r1" in line else "train"
        for name, value in line.items():
            if name not in ("step", "elapsed_s") and math.isfinite(value):
                self._writer.add_scalar(f"{group}/{name}", value, line["step"])

    def close(self) -> None:
        """Write what TensorBoard's writer holds back."""
        if self._writer is not None:
            self._writer.close()


def _event_writer(folder: Path, first_step: int, tell: Tell) -> Any:
    """TensorBoard's, which hides events of ``first_step`` and later; None where it is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        tell(f"no {EVENTS}/: for live curves, pip install tensorboard; {LOG} has all of it")
        return None
    return SummaryWriter(str(folder), purge_step=first_step or None)
