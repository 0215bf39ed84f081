"""What does a frame cost on a CPU? PyTorch eager, ONNX Runtime FP32 and INT8, one picture and one thread, in one run.

    python benchmarks/onnx_runtime.py [--side 224] [--rounds 30] [--backbones tf_efficientnet_lite0 ...]
    python benchmarks/onnx_runtime.py --checkpoint RUN/best.safetensors

Eager is measured twice: with our weights channels last, as the encoder keeps them, and in PyTorch's own layout (NCHW).
All are measured in turn, so that a machine that grows busy slows all alike; ratios are medians over rounds. INT8
runs on the kernels that its self-check allows, which its name tells. Without a checkpoint weights are ImageNet's or
random: speed does not depend on them, and INT8 ranges come from drawn pictures.
"""

from __future__ import annotations

import argparse
import copy
import platform
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from report import print_setting

_CALLS, _WARMUP, _CALIBRATION = 5, 3, 16
_WANTED = (("fp32", "eager NCHW", 3.0), ("fp32", "eager", 3.0), ("int8", "fp32", 1.5))  # times as fast as


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbones", nargs="+", default=["tf_efficientnet_lite0"], metavar="NAME")
    parser.add_argument("--side", type=int, default=224, metavar="PX")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--checkpoint", type=Path, help="in place of --backbones and --side")
    args = parser.parse_args()
    torch.set_num_threads(1)
    print_setting(1)
    print(f"PyTorch {torch.__version__}; {_processor()}; medians of {args.rounds} rounds of {_CALLS} calls\n")
    for encoder in _encoders(args):
        with tempfile.TemporaryDirectory() as folder:
            _report(encoder, _calls(encoder, Path(folder) / "measured.bundle"), args.rounds)


def _encoders(args: argparse.Namespace) -> Any:
    from train.model.checkpoint import load_encoder
    from train.model.encoder import Encoder, EncoderSpec

    if args.checkpoint:
        yield load_encoder(args.checkpoint)[0]
        return
    for name in args.backbones:
        torch.manual_seed(0)
        init = "imagenet" if name == "tf_efficientnet_lite0" else "random"
        yield Encoder(EncoderSpec(backbone=name, side_px=args.side, init=init)).eval()


def _calls(encoder: Any, path: Path) -> dict[str, Callable[[], object]]:
    """One call of each kind, on the same picture."""
    from export.graphs.drawn_ground import land_like
    from runtime.model.bundle import Bundle
    from runtime.model.engine_onnx import OnnxEngine

    _export(encoder, path)
    pictures = land_like(1, encoder.spec.side_px, encoder.spec.side_px, seed=2)
    image = torch.from_numpy(pictures)
    engines = {p: OnnxEngine(Bundle.open(path), p, threads=1) for p in ("fp32", "int8")}
    for engine in engines.values():
        print(engine.name)

    def eager(network: torch.nn.Module) -> object:
        with torch.inference_mode():
            return network(image)

    plain = copy.deepcopy(encoder).to(memory_format=torch.contiguous_format)
    return {
        "eager NCHW": lambda: eager(plain),
        "eager": lambda: eager(encoder),
        **{precision: partial(engine.embed, pictures) for precision, engine in engines.items()},
    }


def _export(encoder: Any, path: Path) -> None:
    """The bundle with its INT8 graph, not judged: that is another question."""
    import onnx

    from export.bundles.encoder import export_encoder
    from export.bundles.reduced import enter
    from export.graphs.drawn_ground import land_like
    from export.graphs.precision import load_graph
    from export.int8.pipeline import graphs_of, measured_activations
    from export.int8.quantize import to_int8
    from export.int8.ranges import measure
    from export.options import DEFAULT_RANGE_RULE
    from runtime.model.bundle import Bundle

    export_encoder(encoder, path, training={}, licence="Apache-2.0", small=True)
    model = load_graph(path / "encoder.onnx")
    side_px = encoder.spec.side_px
    measured = measure(model, measured_activations(model), land_like(_CALIBRATION, side_px, side_px, seed=1))
    ranges = {name: one.range_by(DEFAULT_RANGE_RULE) for name, one in measured.items()}
    for name, graph in graphs_of(to_int8(model, ranges), ranges).items():
        onnx.save(graph, path / name)
    enter(Bundle.open(path), "int8", {})


def _report(encoder: Any, calls: Mapping[str, Callable[[], object]], rounds: int) -> None:
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            taken[name].append(_median_ms(call))
    print(f"{encoder.spec.backbone} at {encoder.spec.side_px} px")
    for name, ms in taken.items():
        print(f"  {name:<10} {np.median(ms):7.2f} ms")
    for name, to, wanted in _WANTED:
        ratios = np.array(taken[to]) / np.array(taken[name])
        low, high = np.percentile(ratios, (10, 90))
        told = f"{np.median(ratios):.2f} times as fast as {to} (80% of rounds {low:.2f} to {high:.2f})"
        print(f"  {name} is {told}; asked for: {wanted}")


def _median_ms(call: Callable[[], object]) -> float:
    taken = []
    for i in range(_WARMUP + _CALLS):
        started = perf_counter()
        call()
        if i >= _WARMUP:
            taken.append((perf_counter() - started) * 1e3)
    return float(np.median(taken))


def _processor() -> str:
    """The CPU's name, and whether it has 8-bit dot products."""
    path = Path("/proc/cpuinfo")
    told = path.read_text(encoding="utf-8") if path.is_file() else ""
    named = next((line.partition(":")[2].strip() for line in told.splitlines() if line.startswith("model name")), "")
    return f"{named or platform.processor()}{', VNNI' if 'vnni' in told else ''}"


if __name__ == "__main__":
    main()
