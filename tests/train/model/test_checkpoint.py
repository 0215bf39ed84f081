"""Files of a run: whole or as they were, and read without running code from them."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from runtime.errors import TrainError
from tests.train.fit.runs import fit
from train.data.batch import Batch
from train.model.checkpoint import load_encoder, load_state, read_summary, save_encoder, save_state
from train.model.encoder import Encoder, EncoderSpec
from train.spec import TrainSpec

TINY = EncoderSpec(dim=16, side_px=32, init="random", backbone="test_efficientnet")


def test_a_checkpoint_comes_back_with_all_that_made_it(
    tiny: TrainSpec, tmp_path: Path, one_batch: Callable[[int], Batch]
) -> None:
    path = tmp_path / "best.safetensors"
    encoder = Encoder(TINY).eval()
    save_encoder(path, encoder, tiny.to_json(), {"r1": 0.5})
    loaded, about = load_encoder(path)
    pictures = one_batch(2).drone
    assert torch.equal(loaded(pictures), encoder(pictures))
    assert not loaded.training
    assert (loaded.spec, about["summary"], read_summary(path)) == (TINY, {"r1": 0.5}, {"r1": 0.5})
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


def test_a_state_that_would_run_code_is_refused(tmp_path: Path) -> None:
    save_state(tmp_path / "state.pt", {"step": Path("/")})  # any object but plain values and tensors
    with pytest.raises(TrainError, match=r"state\.pt cannot be read"):
        load_state(tmp_path / "state.pt")


def test_on_a_full_disk_the_last_good_checkpoint_stands_and_the_run_goes_on_from_it(
    tiny: TrainSpec, tmp_path: Path
) -> None:
    fit(replace(tiny, steps=3), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.suffix in (".pt", ".safetensors")}
    with _files_of_at_most(200_000), pytest.raises(TrainError, match=r"cannot be written \(.*before stands"):
        fit(tiny, tmp_path, resume=True)
    assert {name: (tmp_path / name).read_bytes() for name in before} == before
    assert not list(tmp_path.glob("*.partial"))
    outcome = fit(tiny, tmp_path, resume=True)
    assert outcome is not None
    assert outcome.summary.steps == 6


def test_a_shorter_embedding_is_the_renormalised_start_of_the_whole(
    tmp_path: Path, one_batch: Callable[[int], Batch]
) -> None:
    path = tmp_path / "best.safetensors"
    encoder = Encoder(TINY).eval()
    save_encoder(path, encoder, {}, {})
    short, _ = load_encoder(path, dim=4)
    pictures = one_batch(3).drone
    assert short.spec.dim == 4
    want = nn.functional.normalize(encoder(pictures)[:, :4], dim=1)
    assert torch.allclose(short(pictures), want, atol=1e-6)
    with pytest.raises(TrainError, match="--dim takes 1 to 16, not 17"):
        load_encoder(path, dim=17)


@contextmanager
def _files_of_at_most(size: int) -> Iterator[None]:
    """Writing more fails as it does on a full disk, by the system."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
