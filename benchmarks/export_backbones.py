"""Every supported backbone through the exporter: FP32, FP16 and INT8 graphs, what they cost and how near they come.

    python benchmarks/export_backbones.py [--side 192] [--out graphs/] [--backbones convnext_tiny ...]

Weights are random and INT8 ranges come from a few drawn pictures: this shows that the graphs can be made, keep the
rules and compute what they should, not how well a trained encoder quantises. LayerScale is drawn from 0.1 to 1, as
after training: the 1e-6 that ConvNeXt starts from would silence its blocks, and flatter every cosine. Batch norms have
seen the pictures, or activations would double from block to block until FP16 does not hold them. With --out the
graphs stay there, for batch 1, to be given to a parser: byte for byte what export.trt gives TensorRT, but for the batch
that the builder fixes itself; INT8 has its floats in FP16. Each backbone has a process of its own, so that its peak
memory is its own.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

BACKBONES = (
    *(f"tf_efficientnet_lite{n}" for n in (0, 1, 2)),
    *("mobilenetv4_conv_small", "mobilenetv4_conv_medium", "fastvit_t8", "repvit_m1", "convnext_tiny", "convnext_base"),
)
_CALIBRATION, _HELD_OUT = 8, 8
_HEAD = """
| Backbone | Parameters | GMAC | FP32 / FP16 / INT8 | FP16 cosine | INT8 cosine | Rules | Peak memory | Time |
|---|---|---|---|---|---|---|---|---|"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=192, metavar="PX")
    parser.add_argument("--out", type=Path, help="a folder to keep the graphs in")
    parser.add_argument("--backbones", nargs="+", default=BACKBONES, metavar="NAME")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(export(args.backbones[0], args.side, args.out)))
        return
    from report import print_setting

    print_setting(0)
    print(f"{args.side} px; cosines to PyTorch's FP32 are the worst of {_HELD_OUT} drawn pictures, INT8 as written")
    print(_HEAD)
    with tempfile.TemporaryDirectory() as folder:
        for name in args.backbones:
            command = [sys.executable, __file__, "--one", "--side", str(args.side), "--backbones", name]
            command += ["--out", str(args.out or folder)]
            told = subprocess.run(command, capture_output=True, text=True, check=False)
            broken = f"| `{name}` | not exported: {' '.join(told.stderr.strip().splitlines()[-1:])} |"
            print(broken if told.returncode else _row(name, json.loads(told.stdout)), flush=True)


def _row(name: str, found: dict[str, Any]) -> str:
    sizes = " / ".join(f"{found['bytes'][p] / 1e6:.1f}" for p in ("fp32", "fp16", "int8"))
    cells = (
        f"`{name}`",
        f"{found['parameters'] / 1e6:.1f} M",
        f"{found['macs'] / 1e9:.2f}",
        f"{sizes} MB",
        f"{found['cosine']['fp16']:.6f}",
        f"{found['cosine']['int8']:.4f}",
        "; ".join(found["findings"][:2]) or "kept",
        f"{found['peak_mb']:.0f} MB",
        f"{found['seconds']:.0f} s",
    )
    return f"| {' | '.join(cells)} |"


def export(name: str, side_px: int, out: Path) -> dict[str, Any]:
    """Export one backbone in all precisions and measure."""
    import onnx
    import torch

    from export.bundles.encoder import traced
    from export.estimates.cost import cost_of
    from export.graphs.batch import with_batch
    from export.graphs.drawn_ground import land_like
    from export.graphs.lint import lint
    from export.graphs.parity import embed
    from export.graphs.precision import to_fp16
    from train.model.encoder import Encoder, EncoderSpec

    started = perf_counter()
    torch.manual_seed(0)
    encoder = Encoder(EncoderSpec(backbone=name, side_px=side_px, init="random")).eval()
    pictures = land_like(_HELD_OUT + _CALIBRATION, side_px, side_px)
    _settle(encoder, torch.from_numpy(pictures[_HELD_OUT:]))
    with torch.inference_mode():
        wanted = encoder(torch.from_numpy(pictures[:_HELD_OUT])).numpy()
        encoder.amp_dtype = torch.float16
        halved = encoder(torch.from_numpy(pictures[:_HELD_OUT])).numpy()
        encoder.amp_dtype = None
    model = traced(encoder)
    del encoder
    out.mkdir(parents=True, exist_ok=True)
    cosine, size, findings = {}, {}, []
    for precision in ("fp32", "fp16", "int8"):
        if precision == "fp32":
            graph = model
        else:
            graph = to_fp16(model) if precision == "fp16" else _int8(model, pictures[_HELD_OUT:])
        path = out / f"{name}.{precision}.onnx"
        onnx.save(graph, path)
        findings += lint(graph)
        got = embed(path, pictures[:_HELD_OUT], optimise=precision != "int8")
        cosine[precision], size[precision] = float((wanted * got).sum(axis=1).min()), path.stat().st_size
        if precision == "fp16":  # a CPU rounds the weights alone: export.onnx
            cosine[precision] = min(cosine[precision], float((wanted * halved).sum(axis=1).min()))
        onnx.save(with_batch(onnx.load(path), 1), path)
    return {
        "parameters": sum(math.prod(weight.dims) for weight in model.graph.initializer),  # a pooling skips some
        "macs": cost_of(model).macs,
        "bytes": size,
        "cosine": cosine,
        "findings": findings,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
        "seconds": perf_counter() - started,
    }


def _settle(encoder: Any, pictures: Any) -> None:
    """Bring a random network to where activations are as in a trained one."""
    import torch

    for parameter, values in encoder.named_parameters():
        if parameter.endswith("gamma"):
            torch.nn.init.uniform_(values, 0.1, 1.0)
    for module in encoder.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.momentum = 1.0
    with torch.no_grad():
        encoder.train()(pictures)
    encoder.eval()


def _int8(model: Any, pictures: Any) -> Any:
    """What a device is given; raises GateError where it breaks a rule."""
    from export.int8.pipeline import graphs_of, measured_activations
    from export.int8.quantize import to_int8
    from export.int8.ranges import measure
    from export.options import DEFAULT_RANGE_RULE
    from runtime.model.bundle import ENCODER_FILES

    measured = measure(model, measured_activations(model), pictures)
    ranges = {name: found.range_by(DEFAULT_RANGE_RULE) for name, found in measured.items()}
    return graphs_of(to_int8(model, ranges), ranges)[ENCODER_FILES["int8"]]


if __name__ == "__main__":
    main()
