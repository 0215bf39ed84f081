"""Each rule finds the graph that breaks it, names the node, and is silent about the others."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from onnx import ModelProto

from export.graphs.lint import check_lint, lint
from export.graphs.rules import RULES
from export.lint import main
from runtime.errors import GateError
from tests.export.graphs.linted import BROKEN, good


def test_a_good_graph_has_no_findings() -> None:
    assert lint(good()) == []
    check_lint(good(), "good.onnx")


@pytest.mark.parametrize(("spoil", "rule", "message"), BROKEN, ids=[spoil.__name__ for spoil, _, _ in BROKEN])
def test_each_broken_rule_is_named_with_its_node(spoil: Callable[[ModelProto], None], rule: str, message: str) -> None:
    model = good()
    spoil(model)
    found = lint(model)
    assert any(finding.startswith(f"{rule}: ") and message in finding for finding in found)
    assert {finding.partition(":")[0] for finding in found} == {rule}
    with pytest.raises(GateError, match=f"graph.onnx breaks rules for TensorRT: {rule}"):
        check_lint(model, "graph.onnx")


def test_every_rule_has_a_graph_that_breaks_it_and_a_line_of_help(capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"{rule.id} {rule.name}" for rule in RULES]
    assert len(set(names)) == len(names) and {rule for _, rule, _ in BROKEN} == set(names)
    with pytest.raises(SystemExit):
        main(["--help"])
    message = capsys.readouterr().out
    assert all(name in message for name in names) and all(rule.text and rule.text in message for rule in RULES)
