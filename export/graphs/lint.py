"""Whether a graph keeps the rules of ``export.graphs.rules``; each finding names its rule and node."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import ModelProto

from export.graphs.breaches import BREACHES
from export.graphs.rules import RULES
from export.graphs.wiring import wire
from runtime.errors import ExportError, GateError

_FIRST = 3  # findings that an error names
_EXPECTED = "expected one as python -m export.onnx writes"


def lint(model: ModelProto) -> list[str]:
    """Return all findings, as ``SF11 per-channel-weights: node (Operator)``; none for a good graph."""
    graph = wire(model)
    return [f"{rule.id} {rule.name}: {breach}" for rule in RULES for breach in BREACHES[rule.id](graph)]


def check_lint(model: ModelProto, what: str) -> None:
    """Raise GateError with the first findings, if there are any."""
    findings = lint(model)
    if findings:
        more = f" (and {len(findings) - _FIRST} more)" if len(findings) > _FIRST else ""
        raise GateError(
            f"{what} breaks rules for TensorRT: {'; '.join(findings[:_FIRST])}{more}. "
            "What each asks for: python -m export.lint --help"
        )


def read_graph(path: Path) -> ModelProto:
    """Read a graph as its file has it; raises ExportError for a file that is none."""
    try:
        model = onnx.load(path, load_external_data=False)
    except FileNotFoundError:
        raise ExportError(
            f"{path} is missing; expected an ONNX graph, as in a bundle of python -m export.onnx"
        ) from None
    except Exception as error:  # protobuf's, of several kinds
        raise ExportError(f"{path} is no ONNX graph ({error}); {_EXPECTED}") from None
    if not model.graph.node:
        raise ExportError(f"{path} is no ONNX graph: it has no nodes; {_EXPECTED}")
    return model
