"""The command trains by the clock, writes what can be read back, and tells wrong input in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from train.local.__main__ import main
from train.local.store import build_network, load_local


def test_a_minute_fragment_of_training_is_learnt_from_and_read_back(
    default_bundle: Path, matcher: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ["--data", f"overhead:{pictures}@0.6", "--teacher", str(matcher), "--side", "64", "--batch", "2"]
    run += ["--points", "64", "--workers", "0", "--footprint", "30", "40", "--init", str(default_bundle)]
    assert main([*run, "--minutes", "0.15", "--out", str(tmp_path)]) == 0
    assert "local.safetensors" in capsys.readouterr().out
    network, about = load_local(tmp_path / "local.safetensors", default_bundle)
    assert about["scores"]["steps"] >= 1
    last = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])
    fresh = build_network(str(default_bundle))
    assert not torch.equal(network.descriptor.weight, fresh.descriptor.weight)
    assert 0 <= last["right"] <= 1


def test_wrong_input_is_told_in_one_line(
    *, tmp_path: Path, default_bundle: Path, matcher: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--data", "overhead:nowhere", "--side", "100", "--out", str(tmp_path)]) == 1
    assert "multiple of 32" in capsys.readouterr().err
    nowhere = ["--data", "overhead:nowhere", "--out", str(tmp_path), "--init", str(default_bundle)]
    assert main([*nowhere, "--teacher", str(matcher)]) == 1
    assert "nowhere" in capsys.readouterr().err
    alone = ["--init", str(default_bundle), "--out", str(tmp_path / "run"), "--workers", "0", "--minutes", "0.01"]
    assert main([*alone, "--data", f"site:{pictures}@0.6", "--teacher", str(matcher)]) == 1
    assert "no scenes of val" in capsys.readouterr().err
    assert main([*alone, "--data", "world:1", "--teacher", str(tmp_path)]) == 1
    assert "no manifest.json" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
