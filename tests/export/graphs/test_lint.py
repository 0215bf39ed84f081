"""All findings of a graph, and the error that names the first of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import numpy_helper

from export.graphs.lint import check_lint, lint, read_graph
from export.graphs.rules import RULES
from export.lint import main
from runtime.errors import ExportError, GateError
from tests.export.graphs.linted import BROKEN, good


def test_a_good_graph_has_no_findings() -> None:
    assert lint(good()) == []
    check_lint(good(), "good.onnx")


def test_every_rule_has_a_graph_that_breaks_it_and_a_line_of_help(capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"{rule.id} {rule.name}" for rule in RULES]
    assert len(set(names)) == len(names) and {rule for _, rule, _ in BROKEN} == set(names)
    with pytest.raises(SystemExit):
        main(["--help"])
    message = capsys.readouterr().out
    assert all(name in message for name in names) and all(rule.text and rule.text in message for rule in RULES)


def test_an_error_names_three_findings_and_how_many_more_there_are() -> None:
    model = good()
    for node in model.graph.node:
        if node.name.startswith("backbone"):
            node.name = ""
    for weight in ("b", "g", "h", "s"):
        double = numpy_helper.from_array(np.zeros(4, np.float64), weight)
        next(w for w in model.graph.initializer if w.name == weight).CopyFrom(double)
    findings = lint(model)
    assert len(findings) > 3
    with pytest.raises(GateError) as refused:
        check_lint(model, "graph.onnx")
    assert f"{'; '.join(findings[:3])} (and {len(findings) - 3} more)" in str(refused.value)
    assert "python -m export.lint --help" in str(refused.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "is missing; expected an ONNX graph"), (b"text", "is no ONNX graph"), (b"", "it has no nodes")],
    ids=["no file", "another kind", "empty"],
)
def test_a_file_that_is_no_graph_is_refused(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "a.onnx").write_bytes(content)
    with pytest.raises(ExportError, match=message):
        read_graph(tmp_path / "a.onnx")
