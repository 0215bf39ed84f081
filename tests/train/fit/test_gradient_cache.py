"""Gradients of a batch in chunks: those of the whole batch, with the same dropout and running statistics."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.amp import GradScaler

from train.fit.gradient_cache import backward, rng_states, set_rng_states
from train.losses.dphr import DphrSpec
from train.losses.objective import Objective, Terms
from train.model.encoder import Encoder, EncoderSpec


@pytest.mark.parametrize("chunk", [1, 3, 5, 7])
def test_gradients_in_chunks_are_those_of_the_whole_batch(chunk: int) -> None:
    """On a network without batch normalisation; with it, chunks have statistics of their own."""
    spec = EncoderSpec(dim=16, side_px=32, init="random", backbone="test_convnext", pooling="avg")
    pictures = torch.randint(0, 256, (12, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    results = []
    for size in (0, chunk):
        torch.manual_seed(0)
        encoder, objective = Encoder(spec), Objective("info_nce", DphrSpec(palw=False), 0.1, matryoshka=(8,))
        terms = backward(encoder, pictures, lambda rows, o=objective: o(*rows.chunk(2)), scaler=_off(), chunk=size)
        parameters = [*encoder.parameters(), *objective.parameters()]
        results.append((terms.loss.item(), torch.cat([p.grad.flatten() for p in parameters if p.grad is not None])))
    (whole_loss, whole), (loss, gradient) = results
    assert loss == pytest.approx(whole_loss, abs=1e-5)
    assert whole.norm() > 0.1
    assert (gradient - whole).norm() < 1e-5 * whole.norm()


def test_chunks_agree_with_one_graph_over_them_in_dropout_and_running_statistics() -> None:
    class Terse(nn.Module):
        def forward(self, rows: Tensor) -> Terms:
            loss = (rows @ rows.T).exp().mean()  # every row meets every other one
            return Terms(loss, 0.0, 0.0, 0.0, 0.0)

    pictures, results = torch.randn(10, 6), []
    for cached in (True, False):
        torch.manual_seed(3)
        network = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 4))
        if cached:
            backward(network, pictures, Terse(), scaler=_off(), chunk=5)
        else:
            torch.autograd.backward(Terse()(torch.cat([network(part) for part in pictures.split(5)])).loss)
        results.append([*(p.grad for p in network.parameters()), *network.buffers(), torch.rand(1)])
    for mine, oracle in zip(*results, strict=True):
        assert torch.allclose(mine, oracle, atol=1e-6)


def _off() -> GradScaler:
    return GradScaler("cpu", enabled=False)


def test_a_loss_that_does_not_depend_on_the_embeddings_is_refused() -> None:
    def constant(_rows: Tensor) -> Terms:
        return Terms(torch.zeros((), requires_grad=True), 0.0, 0.0, 0.0, 0.0)

    with pytest.raises(ValueError, match="does not depend on the embeddings"):
        backward(nn.Linear(3, 2), torch.zeros(4, 3), constant, scaler=_off(), chunk=2)


def test_the_scaler_of_half_precision_scales_the_gradients_of_chunks_as_of_a_whole() -> None:
    gradients = []
    for chunk in (0, 2):
        torch.manual_seed(0)
        network, scaler = nn.Linear(3, 2), GradScaler("cpu", init_scale=8.0)
        pictures = torch.arange(12.0).view(4, 3)
        backward(network, pictures, lambda rows: Terms((rows**2).mean(), 0, 0, 0, 0), scaler=scaler, chunk=chunk)
        gradients.append(network.weight.grad)
    torch.manual_seed(0)
    plain = nn.Linear(3, 2)
    (plain(torch.arange(12.0).view(4, 3)) ** 2).mean().backward()
    for gradient in gradients:
        assert gradient is not None
        assert torch.allclose(gradient, 8.0 * plain.weight.grad)


def test_generators_go_on_from_a_kept_state_and_one_without_a_gpu_is_taken_by_all() -> None:
    states = rng_states(torch.device("cpu"))
    first = torch.rand(3)
    set_rng_states(torch.device("cpu"), states)
    assert torch.equal(torch.rand(3), first)
    assert len(states) == 1
