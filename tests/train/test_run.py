"""A run from the command line's side: it learns, it stops and goes on, and it says what is wrong in one line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from runtime.errors import SettingsError, TrainError
from train.checkpoint import load_encoder, save_encoder
from train.data.batch import Batch
from train.encoder import Encoder, EncoderSpec
from train.evaluate import main as evaluate
from train.fit import fit
from train.loop import train_steps
from train.losses.objective import Objective
from train.plots import read_log
from train.run import main
from train.spec import PRESETS, TrainSpec
from train.state import lr_factor

TINY = EncoderSpec(dim=16, side_px=32, init="random", backbone="test_efficientnet")


def _one_batch(count: int) -> Batch:
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randint(0, 256, (2, count, 32, 32, 3), dtype=torch.uint8, generator=generator)
    unknown = torch.full((count, 4), torch.nan, dtype=torch.float64)
    return Batch(pictures[0], pictures[1], torch.arange(count), unknown, torch.arange(count))


def test_the_loop_memorises_one_batch() -> None:
    torch.manual_seed(0)
    encoder, objective = Encoder(TINY), Objective("info_nce", None, label_smoothing=0.0)
    optimizer = torch.optim.AdamW([*encoder.parameters(), *objective.parameters()], lr=2e-3)
    batches = (_one_batch(4) for _ in range(40))
    steps = train_steps(encoder, objective, batches, optimizer, device=torch.device("cpu"), clip_norm=10.0)
    losses = [step.loss for step in steps]
    assert losses[0] > 1.0
    assert losses[-1] < 0.05


def test_a_loss_that_is_no_number_ends_the_run() -> None:
    encoder, objective = Encoder(TINY), Objective("info_nce", None, 0.1)
    with torch.no_grad():
        encoder.head.weight.fill_(float("nan"))
    optimizer = torch.optim.SGD(encoder.parameters(), lr=0.1)
    steps: Iterator[object] = train_steps(
        encoder, objective, [_one_batch(4)], optimizer, device=torch.device("cpu"), clip_norm=1.0
    )
    with pytest.raises(TrainError, match="the loss is nan"):
        next(steps)


@pytest.mark.parametrize("pooling", ["gem", "avg"])
def test_the_encoder_takes_bytes_and_gives_unit_norm_float32(pooling: str) -> None:
    encoder = Encoder(replace(TINY, pooling=pooling)).eval()
    rows = encoder(_one_batch(3)[0])
    assert rows.dtype == torch.float32
    assert torch.allclose(rows.norm(dim=1), torch.ones(3))


def test_imagenet_weights_of_lite0_are_real_and_never_replaced_by_random_ones() -> None:
    first, second = Encoder(EncoderSpec(side_px=64)), Encoder(EncoderSpec(side_px=64))
    stem = first.backbone.conv_stem.weight
    assert torch.equal(stem, second.backbone.conv_stem.weight)
    assert stem.abs().max() > 0.5  # random initial weights are far smaller
    with pytest.raises(TrainError, match="is no file"):
        Encoder(EncoderSpec(init="nowhere.safetensors"))
    with pytest.raises(TrainError, match="has no model"):
        Encoder(EncoderSpec(backbone="no_such_model"))


def test_a_stopped_run_goes_on_as_if_it_never_stopped(tiny_warm: TrainSpec, tmp_path: Path) -> None:
    fit(tiny_warm, tmp_path / "whole")
    fit(tiny_warm, tmp_path / "parts", stop=_after(2))
    assert len(read_log(tmp_path / "parts" / "log.jsonl")) == 3
    fit(tiny_warm, tmp_path / "parts", resume=True)
    whole, parts = (load_encoder(tmp_path / name / "last.safetensors")[0] for name in ("whole", "parts"))
    for (name, a), b in zip(whole.state_dict().items(), parts.state_dict().values(), strict=True):
        assert torch.equal(a, b), name
    lines = [[line.get("loss") for line in read_log(tmp_path / name / "log.jsonl")] for name in ("whole", "parts")]
    assert lines[0] == lines[1]


def _after(steps: int):  # noqa: ANN202
    count = iter(range(1, 1000))
    return lambda: next(count) >= steps


def test_a_checkpoint_comes_back_with_all_that_made_it(tiny: TrainSpec, tmp_path: Path) -> None:
    encoder = Encoder(TINY).eval()
    save_encoder(tmp_path / "best.safetensors", encoder, tiny.to_json(), {"r1": 0.5})
    loaded, about = load_encoder(tmp_path / "best.safetensors")
    pictures = _one_batch(2)[0]
    assert torch.equal(loaded(pictures), encoder(pictures))
    assert not loaded.training
    assert (loaded.spec, about["summary"]) == (TINY, {"r1": 0.5})
    assert TrainSpec.from_json(about["train_spec"]) == tiny


@pytest.mark.parametrize("spoil", ["missing", "garbage", "cut", "foreign"])
def test_a_spoilt_checkpoint_is_refused(spoil: str, tmp_path: Path) -> None:
    path = tmp_path / "best.safetensors"
    if spoil == "garbage":
        path.write_bytes(b"not weights at all")
    elif spoil == "cut":
        save_encoder(path, Encoder(TINY), {}, {})
        path.write_bytes(path.read_bytes()[:5000])
    elif spoil == "foreign":
        from safetensors.torch import save_file

        save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(TrainError, match=r"best\.safetensors"):
        load_encoder(path)


def test_the_command_trains_evaluates_and_resumes(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    small = [
        "--batch",
        "8",
        "--steps",
        "3",
        "--side",
        "32",
        "--warm-side",
        "0",
        "--dim",
        "8",
        "--init",
        "random",
        "--backbone",
        "test_efficientnet",
    ]
    data = ["--data", f"overhead:{pictures}@0.6"]
    assert main([*data, *small, "--workers", "0", "--eval-every", "2", "--out", str(run)]) == 0
    assert "R@1 on held-out places" in capsys.readouterr().err
    for name in ("best.safetensors", "last.safetensors", "state.pt", "spec.json", "log.jsonl", "curves.png"):
        assert (run / name).stat().st_size > 0
    out = tmp_path / "scores"
    assert evaluate([str(run / "best.safetensors"), *data, "--out", str(out)]) == 0
    scores = json.loads((out / "scores.json").read_text())["sets"]["drone -> tile"]
    logged = [line["r1"] for line in read_log(run / "log.jsonl") if "r1" in line]
    assert scores["r1"] in logged
    assert main(["--resume", str(run)]) == 0


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_a_preset_survives_its_own_json(preset: str) -> None:
    assert TrainSpec.from_json(json.loads(json.dumps(PRESETS[preset].to_json()))) == PRESETS[preset]


def test_a_setting_that_makes_no_sense_names_its_flag() -> None:
    with pytest.raises(SettingsError, match="--lr nan"):
        TrainSpec(lr=float("nan"))
    with pytest.raises(SettingsError, match="--host none"):
        TrainSpec(host="none", dphr=None)


def test_what_users_get_wrong_is_one_line_and_exit_code_1(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoilt = tmp_path / "spoilt"
    shutil.copytree(pictures, spoilt)
    for picture in spoilt.iterdir():
        picture.write_bytes(b"no picture")
    out = ["--out", str(tmp_path / "run"), "--init", "random", "--side", "32", "--backbone", "test_efficientnet"]
    cases = {
        "is no folder": ["--data", "overhead:/nowhere"],
        "a batch of 64 needs 64 different places": ["--data", f"overhead:{pictures}@0.6"],
        "21 of 21 pictures cannot be read": ["--data", f"overhead:{spoilt}@0.6", "--batch", "4", "--workers", "1"],
        "no data to train on": [],
        "wants the --out folder of an earlier run": ["--resume", str(tmp_path / "never")],
        "drop --preset": ["--resume", str(tmp_path), "--preset", "edge"],
    }
    for message, arguments in cases.items():
        assert main(arguments if "--resume" in arguments else [*arguments, *out]) == 1
        error = capsys.readouterr().err
        assert message in error
        assert len(error.strip().splitlines()) == 1
    assert evaluate([str(tmp_path / "no.safetensors"), "--data", f"overhead:{pictures}"]) == 1


def test_the_learning_rate_rises_then_falls_to_nothing() -> None:
    rates = np.array([lr_factor(p, 0.1) for p in np.linspace(0, 1, 101)])
    assert (np.diff(rates[:10]) > 0).all()
    assert (np.diff(rates[11:]) < 0).all()
    assert (rates[10], rates[-1]) == (1.0, pytest.approx(0.0))
