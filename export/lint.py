"""``python -m export.lint``: check encoder graphs against the rules that TensorRT builds well by."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from export.graphs.rules import RULES
from export.needs import require
from runtime.command import add_verbose, run_command


@dataclass(frozen=True, slots=True)
class LintArguments:
    """Graphs that the command is asked to check."""

    graphs: tuple[Path, ...]


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
    add_verbose(parser)
    args = parser.parse_args(argv)
    arguments = LintArguments(tuple(args.graphs))
    return run_command("export.lint", lambda: _run(arguments), verbose=args.verbose)


def _run(arguments: LintArguments) -> int:
    require("onnx", extra="export")
    from export.graphs.lint import lint, read_graph

    broken = 0
    for path in arguments.graphs:
        findings = lint(read_graph(path))
        broken += bool(findings)
        print(f"{path}: {f'{len(findings)} findings' if findings else f'keeps all {len(RULES)} rules'}")
        for finding in findings:
            print(f"  {finding}")
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
