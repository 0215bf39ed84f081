"""The public benchmarks by their kinds: ``KIND:ROOT``, or ``KIND:ROOT#PART,PART`` for some heights or flights."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import DataError
from train.data.benchmarks import denseuav, sues200, university1652, visloc
from train.data.benchmarks.benchmark import Benchmark, CountLine, Deviation
from train.data.manifest import Choice
from train.data.retrieval_set import RetrievalSet
from train.data.source import PairSource
from train.data.view_spec import ViewSpec

BENCHMARKS: Mapping[str, Benchmark] = {
    "university1652": university1652,
    "sues200": sues200,
    "denseuav": denseuav,
    "visloc": visloc,
}


@dataclass(frozen=True, slots=True)
class BenchmarkFolder:
    """A benchmark's folder on this disk, and the parts of it that are wanted."""

    benchmark: Benchmark
    root: Path
    parts: Sequence[str]

    @classmethod
    def parse(cls, kind: str, where: str) -> BenchmarkFolder:
        """Parse ``ROOT`` or ``ROOT#PART,PART``; raises DataError where ``kind`` is no benchmark."""
        if kind not in BENCHMARKS:
            raise DataError(f"{kind} is no benchmark; expected one of {', '.join(BENCHMARKS)}")
        root, parts = re.fullmatch(r"(.*?)(?:#([\w,]+))?", where, re.DOTALL).groups()  # type: ignore[union-attr]
        return cls(BENCHMARKS[kind], Path(root), parts.split(",") if parts else ())

    def open_train(self, choice: Choice, view: ViewSpec) -> PairSource:
        """Return the training data, or none of it where weights must be free to ship; raises DataError.

        Every benchmark is for research alone.
        """
        source = self.benchmark.open_train(self.root, choice, view, self.parts)
        return source.without(source.files) if choice.only_may_ship else source

    def retrieval_sets(self) -> list[RetrievalSet]:
        """Return the official queries and galleries; raises DataError."""
        return self.benchmark.retrieval_sets(self.root, self.parts)

    def count_table(self) -> list[CountLine]:
        """Count what is in the folder, beside the counts of the full benchmark; raises DataError."""
        return self.benchmark.count_table(self.root, self.parts)

    def faults(self) -> list[str]:
        """Describe all that is wrong with the folder; raises DataError where it is no folder of the benchmark."""
        return self.benchmark.faults(self.root, self.parts)

    def deviations(self) -> list[Deviation]:
        """List why scores may not bear the benchmark's name alone; empty where they may."""
        return self.benchmark.deviations(self.root, self.parts)

    def pictures(self) -> list[Path]:
        """List every picture that training or the test reads."""
        return self.benchmark.pictures(self.root, self.parts)
