"""Two processes train as one does: the same losses, gradients, lambda and files; and they end together.

The networks here have no BatchNorm: on a CPU it sees the pictures of its own process alone, on GPUs those of all.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from runtime.errors import SettingsError, TrainError
from tests.paths import ROOT
from train.data.batch import Batch
from train.fit.distributed import Ranks, start_ranks
from train.fit.log_line import read_log
from train.fit.loop import train_steps
from train.losses.dphr import DphrSpec
from train.losses.objective import Objective
from train.model.encoder import Encoder, EncoderSpec
from train.run import main

_BATCH, _STEPS = 8, 4


def _steps(ranks: Ranks, chunk: int) -> dict[str, Any]:
    """What a few steps leave behind, by plain gradient descent: Adam would hide the length of a gradient."""
    torch.manual_seed(0)
    encoder = Encoder(EncoderSpec(dim=16, side_px=32, init="random", backbone="test_convnext", pooling="avg"))
    objective = Objective("info_nce", DphrSpec(window=2), 0.1, mean=ranks.mean)
    optimizer = torch.optim.SGD([*encoder.parameters(), *objective.parameters()], lr=1e-5)
    batches = _STEPS * [_block(ranks)]  # one batch again and again: the loss falls, so that lambda moves
    device = torch.device("cpu")
    results = list(
        train_steps(encoder, objective, batches, optimizer, device=device, clip_norm=1e6, chunk=chunk, ranks=ranks)
    )
    parameters = {**dict(encoder.named_parameters()), **dict(objective.named_parameters())}
    return {
        "losses": [result.loss for result in results],
        "lambdas": [result.lambda_t for result in results],
        "gradients": {name: p.grad for name, p in parameters.items() if p.grad is not None},
        "weights": {name: p.detach() for name, p in parameters.items()},
    }


def _block(ranks: Ranks) -> Batch:
    """This rank's part of a batch in which the first two scenes, of different ranks, are of one place."""
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randint(0, 256, (2, _BATCH, 32, 32, 3), dtype=torch.uint8, generator=generator)
    place = torch.arange(_BATCH)
    place[-1] = 0
    rows = ranks.block(range(_BATCH))
    unknown = torch.full((_BATCH, 4), torch.nan, dtype=torch.float64)
    return Batch(*(column[rows.start : rows.stop] for column in (*pictures, place, unknown, torch.arange(_BATCH))))


def _work(out: str) -> None:
    """In a process of its own: write what this rank has seen, then let the second one fail."""
    torch.set_num_threads(1)
    with start_ranks() as ranks:
        seen = {"whole": _steps(ranks, 0), "chunks": _steps(ranks, 3), "norm": _averaged_norm(ranks)}
        torch.save(seen, Path(out) / f"{ranks.rank}.pt")
        if ranks.rank == 1:
            raise TrainError("this picture is broken")
        ranks.mean(0.0)


def _averaged_norm(ranks: Ranks) -> Tensor:
    norm = nn.BatchNorm1d(2)
    norm.weight.grad = torch.full((2,), float(ranks.rank))
    norm.get_buffer("running_var").fill_(ranks.rank + 1.0)
    ranks.average_gradients(norm)
    return torch.stack([norm.weight.grad, norm.get_buffer("running_var")])


def _start(command: list[str], **environment: str) -> subprocess.Popen[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", **environment}
    return subprocess.Popen([sys.executable, *command], cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def two_ranks(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], list[object], str]:
    """What each of two ranks has seen, their exit codes, and the words of the second; the first is this process."""
    out = tmp_path_factory.mktemp("ranks")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        at = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1]), "WORLD_SIZE": "2"}
    code = (
        "import sys; from runtime.command import run_command; from tests.train.fit.test_distributed import _work; "
        f"sys.exit(run_command('train.run', lambda: _work({str(out)!r})))"
    )
    second = _start(["-c", code], RANK="1", **at)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**at, "RANK": "0"}.items():
            patch.setenv(name, value)
        with pytest.raises(SystemExit) as first:
            _work(str(out))
    words = second.communicate(timeout=120)[1]
    seen = [torch.load(out / f"{rank}.pt", weights_only=True) for rank in (0, 1)]
    return seen, [first.value.code, second.returncode], words


@pytest.mark.parametrize("way", ["whole", "chunks"])
def test_two_ranks_give_the_losses_and_gradients_of_one_process(way: str, two_ranks: Any) -> None:
    single = _steps(Ranks(), 0 if way == "whole" else 3)
    for rank in (0, 1):
        seen = two_ranks[0][rank][way]
        assert seen["losses"] == pytest.approx(single["losses"], rel=1e-5)
        for part in ("gradients", "weights"):
            assert seen[part].keys() == single[part].keys()
            for name, value in single[part].items():
                assert torch.allclose(seen[part][name], value, rtol=1e-4, atol=1e-5 * float(value.abs().max())), name


def test_lambda_and_weights_have_the_same_bits_on_each_rank(two_ranks: Any) -> None:
    first, second = (seen["whole"] for seen in two_ranks[0])
    assert first["lambdas"] == second["lambdas"]
    assert first["lambdas"][-1] > 0
    assert first["lambdas"][-1] == pytest.approx(_steps(Ranks(), 0)["lambdas"][-1], rel=1e-4)
    assert all(torch.equal(first["weights"][name], value) for name, value in second["weights"].items())


def test_running_statistics_of_batch_norm_are_averaged_with_the_gradients(two_ranks: Any) -> None:
    for seen in two_ranks[0]:
        assert torch.equal(seen["norm"], torch.tensor([[0.5, 0.5], [1.5, 1.5]]))


def test_a_rank_that_fails_ends_all_and_alone_says_why(two_ranks: Any) -> None:
    _, codes, words = two_ranks
    assert codes == [1, 1]  # the first by SystemExit, of which nothing is told
    assert words == "train.run: this picture is broken\n"


def test_torchrun_leaves_the_files_and_losses_of_one_process(pictures: Path, tmp_path: Path) -> None:
    network = "--backbone test_convnext --pooling avg --init random --side 32 --warm-side 0 --dim 8 --device cpu"
    run = f"--batch 8 --steps 4 --hard-every 1 --eval-every 4 --ema 0.5 --workers 0 --data overhead:{pictures}@0.6"
    arguments = [*network.split(), *run.split()]
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "train.run"]
    process = _start([*torchrun, *arguments, "--out", str(tmp_path / "two")])
    assert main([*arguments, "--out", str(tmp_path / "one")]) == 0
    error = process.communicate(timeout=120)[1]
    assert process.returncode == 0, error
    assert error.count("R@1 on held-out places") == 1
    names = [{p.relative_to(tmp_path / run).name for p in (tmp_path / run).iterdir()} for run in ("one", "two")]
    assert names[0] == names[1]
    alone, shared = (read_log(tmp_path / run / "log.jsonl") for run in ("one", "two"))
    assert [line.step for line in alone] == [line.step for line in shared]
    for name in ("loss", "lambda_t", "r1", "ap"):
        values = [[line.values[name] for line in log if name in line.values] for log in (alone, shared)]
        assert values[1] == pytest.approx(values[0], rel=1e-3, abs=1e-4)


def test_a_batch_that_cannot_be_shared_out_is_told_with_both_numbers() -> None:
    with pytest.raises(SettingsError, match="--batch 8 on 3 processes: expected a multiple of 3"):
        Ranks(1, 3).block(range(8))
    assert [list(Ranks(rank, 2).block(range(8))) for rank in (0, 1)] == [[0, 1, 2, 3], [4, 5, 6, 7]]
