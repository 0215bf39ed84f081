"""The batch that broke a run, for a person to look at."""

from __future__ import annotations

import json

from safetensors.torch import save_file

from runtime.errors import TrainError
from runtime.files import whole_file, write_text_whole
from train.data.batch import Batch
from train.data.dataset import PairDataset
from train.fit.loop import BadBatchError
from train.fit.run_state import Run
from train.model.checkpoint import LAST

PICTURES, NAMES = "bad_batch.safetensors", "bad_batch.json"
_NAMED = 4


def save_bad_batch(error: BadBatchError, run: Run, data: PairDataset) -> TrainError:
    """Write the pictures of a batch and the names of its places; return the error that says where they are."""
    out, step = run.out, run.step + 1
    batch = Batch(*(run.ranks.gathered(rows) for rows in error.batch))
    scenes = batch.scene.tolist()
    names = [data.names[scene] for scene in scenes]
    if run.ranks.is_first:
        with whole_file(out / PICTURES) as partial:
            save_file({name: rows.contiguous() for name, rows in batch._asdict().items()}, partial)
        about = {"step": step, "error": str(error), "scenes": scenes, "places": names}
        write_text_whole(out / NAMES, json.dumps(about, indent=2) + "\n")
    run.ranks.first(0.0)  # no rank ends the others before these are written
    shown = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
    last = out / LAST
    mend = f"--init {last} and a smaller --lr" if last.is_file() else "a smaller --lr"
    return TrainError(
        f"step {step}: {error}; the batch shows {shown}: look at {out / NAMES} and {out / PICTURES}, "
        f"then mend the data, or start a run with {mend}"
    )
