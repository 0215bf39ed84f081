"""``python -m export.lint``: does a graph keep the rules of ``export.rules``? Each finding names its rule and node."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from export.needs import require
from export.rules import RULES, Wired
from runtime.command import run_command
from runtime.errors import ExportError, GateError

if TYPE_CHECKING:
    from onnx import ModelProto

_TOLD = 3
_EXPECTED = "expected one as python -m export.onnx writes"


def check_lint(model: ModelProto, what: str) -> None:
    """Raise GateError with the first findings, if there are any."""
    findings = lint(model)
    if findings:
        more = f" (and {len(findings) - _TOLD} more)" if len(findings) > _TOLD else ""
        raise GateError(
            f"{what} breaks rules for TensorRT: {'; '.join(findings[:_TOLD])}{more}. "
            "What each asks for: python -m export.lint --help"
        )


def lint(model: ModelProto) -> list[str]:
    """All findings, as ``SF11 per-channel-weights: node (Operator)``; empty for a good graph."""
    graph = Wired.of(model)
    return [f"{rule.id} {rule.name}: {told}" for rule in RULES for told in rule.breaches(graph)]


def main(argv: list[str] | None = None) -> int:
    """Print every finding; returns 1 where there are any."""
    rules = "\n".join(f"  {rule.id} {rule.name}\n       {rule.text}" for rule in RULES)
    parser = argparse.ArgumentParser(
        prog="python -m export.lint",
        description="Check encoder graphs against the rules that TensorRT builds well by. export.onnx and export.trt "
        "do it on their own; the command is for graphs from elsewhere. INT8's twin for CPUs (encoder.int8.cpu.onnx) is "
        "made by other rules: TensorRT never sees it.",
        epilog=f"Rules:\n{rules}\n\nExample: python -m export.lint edge.bundle/encoder.int8.onnx",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("graphs", type=Path, nargs="+", metavar="GRAPH.onnx")
    args = parser.parse_args(argv)
    return run_command("export.lint", lambda: _run(args.graphs))


def _run(paths: list[Path]) -> int:
    require("onnx", extra="export")
    broken = 0
    for path in paths:
        findings = lint(read_graph(path))
        broken += bool(findings)
        print(f"{path}: {f'{len(findings)} findings' if findings else f'keeps all {len(RULES)} rules'}")
        for finding in findings:
            print(f"  {finding}")
    return int(broken > 0)


def read_graph(path: Path) -> ModelProto:
    """A graph as its file has it; raises ExportError for a file that is none."""
    import onnx

    try:
        model = onnx.load(path, load_external_data=False)
    except FileNotFoundError:
        raise ExportError(
            f"{path} is missing; expected an ONNX graph, as in a bundle of python -m export.onnx"
        ) from None
    except Exception as error:  # protobuf's, of several kinds
        raise ExportError(f"{path} is no ONNX graph ({error}); expected one as python -m export.onnx writes") from None
    if not model.graph.node:
        raise ExportError(f"{path} is no ONNX graph: it has no nodes; expected one as python -m export.onnx writes")
    return model


if __name__ == "__main__":
    sys.exit(main())
