"""Each rule finds the graph that breaks it, names the node, and is silent about the others."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from onnx import ModelProto

from export.graphs.lint import check_lint, lint
from runtime.errors import GateError
from tests.export.graphs.linted import BROKEN, good


@pytest.mark.parametrize(("spoil", "rule", "message"), BROKEN, ids=[spoil.__name__ for spoil, _, _ in BROKEN])
def test_each_broken_rule_is_named_with_its_node(spoil: Callable[[ModelProto], None], rule: str, message: str) -> None:
    model = good()
    spoil(model)
    found = lint(model)
    assert any(finding.startswith(f"{rule}: ") and message in finding for finding in found)
    assert {finding.partition(":")[0] for finding in found} == {rule}
    with pytest.raises(GateError, match=f"graph.onnx breaks rules for TensorRT: {rule}"):
        check_lint(model, "graph.onnx")
