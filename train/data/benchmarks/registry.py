"""The public benchmarks by their kinds: ``KIND:ROOT``, or ``KIND:ROOT#PART,PART`` for some heights or flights."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from runtime.errors import DataError
from train.data.benchmarks import denseuav, sues200, university1652, visloc
from train.data.benchmarks.folders import Line
from train.data.manifest import Choice
from train.data.retrieval_set import RetrievalSet
from train.data.source import PairSource
from train.data.view_pair import ViewSpec


class Benchmark(Protocol):
    """What each of the modules has; ``parts`` are heights or flights, all of them where there are none."""

    NAME: str

    def open_train(self, root: Path, choice: Choice, _view: ViewSpec, /, parts: Sequence[str] = ()) -> PairSource: ...

    def retrieval_sets(self, root: Path, parts: Sequence[str] = ()) -> list[RetrievalSet]: ...

    def table(self, root: Path, parts: Sequence[str] = ()) -> list[Line]: ...

    def check(self, root: Path, parts: Sequence[str] = ()) -> list[str]: ...

    def is_complete(self, root: Path, parts: Sequence[str] = ()) -> list[str]: ...

    def pictures(self, root: Path, parts: Sequence[str] = ()) -> list[Path]: ...


BENCHMARKS: Mapping[str, Benchmark] = {
    "university1652": university1652,
    "sues200": sues200,
    "denseuav": denseuav,
    "visloc": visloc,
}


class Found(NamedTuple):
    """A benchmark's folder, and the parts of it that are wanted."""

    benchmark: Benchmark
    root: Path
    parts: Sequence[str]

    @classmethod
    def parse(cls, kind: str, where: str) -> Found:
        """``where`` is ``ROOT`` or ``ROOT#PART,PART``; raises DataError where ``kind`` is no benchmark."""
        if kind not in BENCHMARKS:
            raise DataError(f"{kind} is no benchmark; expected one of {', '.join(BENCHMARKS)}")
        root, parts = re.fullmatch(r"(.*?)(?:#([\w,]+))?", where, re.DOTALL).groups()  # type: ignore[union-attr]
        return cls(BENCHMARKS[kind], Path(root), parts.split(",") if parts else ())

    def open_train(self, choice: Choice, view: ViewSpec) -> PairSource:
        """Its training data; raises DataError. It is for research: none of it where weights must be free to ship."""
        source = self.benchmark.open_train(self.root, choice, view, self.parts)
        return source.without(source.files) if choice.only_may_ship else source

    def retrieval_sets(self) -> list[RetrievalSet]:
        """Its official queries and galleries; raises DataError."""
        return self.benchmark.retrieval_sets(self.root, self.parts)

    def table(self) -> list[Line]:
        """What was found, against the full benchmark; raises DataError."""
        return self.benchmark.table(self.root, self.parts)

    def faults(self) -> list[str]:
        """All that is wrong, in words; raises DataError where the folder is none of the benchmark."""
        return self.benchmark.check(self.root, self.parts)

    def deviations(self) -> list[str]:
        """Why scores may not bear the benchmark's name; nothing where they may."""
        return self.benchmark.is_complete(self.root, self.parts)

    def pictures(self) -> list[Path]:
        """Every picture that training or the test reads."""
        return self.benchmark.pictures(self.root, self.parts)
