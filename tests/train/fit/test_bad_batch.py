"""A batch that breaks a run is kept, with the names of its places, and the error says how to go on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from runtime.errors import TrainError
from tests.train.fit.runs import fit, open_split
from train.data.dataset import Item, collate
from train.fit.bad_batch import save_bad_batch
from train.fit.loop import BadBatchError
from train.fit.run_state import Run, RunSummary
from train.spec import TrainSpec


def test_the_pictures_and_the_names_of_the_places_are_kept(tiny: TrainSpec, tmp_path: Path) -> None:
    run, data = Run(tiny, tmp_path), open_split(tiny, "train")
    run.step = 4
    batch = collate([data[Item(0, scene)] for scene in (7, 2, 5, 11, 3)])
    error = save_bad_batch(BadBatchError("the loss is nan", batch), run, data)
    about = json.loads((tmp_path / "bad_batch.json").read_text())
    assert about == {
        "step": 5,
        "error": "the loss is nan",
        "scenes": [7, 2, 5, 11, 3],
        "places": [data.names[scene] for scene in (7, 2, 5, 11, 3)],
    }
    kept = load_file(tmp_path / "bad_batch.safetensors")
    assert torch.equal(kept["drone"], batch.drone)
    assert torch.equal(kept["footprint"].nan_to_num(), batch.footprint.nan_to_num())
    assert str(error).startswith("step 5: the loss is nan; the batch shows ")
    assert f"{data.names[11]} and 1 more: look at {tmp_path}/bad_batch.json" in str(error)


def test_the_mend_is_the_last_good_encoder_where_there_is_one(tiny: TrainSpec, tmp_path: Path) -> None:
    run, data = Run(tiny, tmp_path), open_split(tiny, "train")
    broken = BadBatchError("the loss is nan", collate([data[Item(0, 0)]]))
    assert str(save_bad_batch(broken, run, data)).endswith("or start a run with a smaller --lr")
    run.save(RunSummary(0, 0.0, None, None, None, None), data.places)
    assert f"--init {tmp_path}/last.safetensors and a smaller --lr" in str(save_bad_batch(broken, run, data))


def test_a_run_that_breaks_ends_with_the_batch_that_broke_it(tiny: TrainSpec, tmp_path: Path) -> None:
    with pytest.raises(TrainError, match=r"step \d: the loss is nan.* and 4 more") as caught:
        fit(replace(tiny, steps=9, lr=1e30), tmp_path)
    about = json.loads((tmp_path / "bad_batch.json").read_text())
    assert about["places"][0] in str(caught.value)
    kept = load_file(tmp_path / "bad_batch.safetensors")
    assert kept["scene"].tolist() == about["scenes"]
    assert kept["drone"].shape == (8, 32, 32, 3)
