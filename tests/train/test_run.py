"""The command line of a run: it trains, stops and goes on, and it says what is wrong in one line."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import time
from pathlib import Path

import pytest

from train.evaluate import main as evaluate
from train.fit.log_line import read_log
from train.run import main

SMALL = "--batch 8 --side 32 --warm-side 0 --dim 8 --init random --backbone test_efficientnet --workers 0 --device cpu"


def test_the_command_trains_evaluates_and_resumes(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, data = tmp_path / "run", ["--data", f"overhead:{pictures}@0.6"]
    assert main([*data, *SMALL.split(), "--steps", "3", "--eval-every", "2", "--out", str(run)]) == 0
    assert "R@1 on held-out places" in capsys.readouterr().err
    files = ("best.safetensors", "last.safetensors", "state.pt", "spec.json", "log.jsonl")
    for name in (*files, "curves.png", "hardness.png", "confusions.png"):
        assert (run / name).stat().st_size > 0
    out = tmp_path / "scores"
    assert evaluate([str(run / "best.safetensors"), *data, "--out", str(out)]) == 0
    scores = json.loads((out / "scores.json").read_text())["sets"]["drone -> tile"]
    assert scores["r1"] in [line.values["r1"] for line in read_log(run / "log.jsonl") if line.is_validation]
    (run / "confusions.png").unlink()
    assert main(["--resume", str(run)]) == 0  # nothing is left to do but to draw
    assert (run / "confusions.png").stat().st_size > 0
    assert main(["--resume", str(run), "--steps", "4"]) == 0
    assert read_log(run / "log.jsonl")[-1].step == 4


def test_ctrl_c_finishes_the_step_saves_and_says_how_to_go_on(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt_after_a_few_steps() -> None:
        while len(read_log(tmp_path / "log.jsonl")) < 4:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt_after_a_few_steps, daemon=True).start()
    data = ["--data", f"overhead:{pictures}@0.6", "--steps", "100000", "--out", str(tmp_path)]
    assert main([*data, *SMALL.split()]) == 0
    assert f"go on with: python -m train.run --resume {tmp_path}" in capsys.readouterr().err
    stopped_at = read_log(tmp_path / "log.jsonl")[-1].step
    assert main(["--resume", str(tmp_path), "--steps", str(stopped_at + 1)]) == 0
    assert read_log(tmp_path / "log.jsonl")[-1].step == stopped_at + 1


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
        "expected lengths below --dim 256": ["--data", f"overhead:{pictures}", "--matryoshka", "512"],
        "wants the --out folder of an earlier run": ["--resume", str(tmp_path / "never")],
        "drop --preset": ["--resume", str(tmp_path), "--preset", "edge"],
    }
    for message, arguments in cases.items():
        assert main(arguments if "--resume" in arguments else [*arguments, *out]) == 1
        error = capsys.readouterr().err
        assert message in error
        assert len(error.strip().splitlines()) == 1
