"""What every public benchmark answers about its folder, and the records in which it answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, TypeAlias

from train.data.manifest import Choice
from train.data.retrieval_set import RetrievalSet
from train.data.source import PairSource
from train.data.view_spec import ViewSpec

BenchmarkPart: TypeAlias = Literal["train", "test", "all"]
"""The part of a benchmark that a count is of: what is trained on, what is scored, or both together."""


class Count(NamedTuple):
    """How many places there are, and how many pictures of them."""

    places: int
    pictures: int


@dataclass(frozen=True, slots=True)
class CountLine:
    """One line of the table that compares a folder with the full benchmark."""

    name: str
    part: BenchmarkPart
    here: Count
    full: Count | None  # in the whole benchmark, where that is known
    note: str = ""


@dataclass(frozen=True, slots=True)
class Deviation:
    """One reason for which scores may not bear the benchmark's name alone."""

    part: BenchmarkPart
    text: str


class Benchmark(Protocol):
    """A module that reads one benchmark; ``parts`` are heights or flights, all of them where there are none."""

    NAME: str

    def open_train(self, root: Path, choice: Choice, _view: ViewSpec, /, parts: Sequence[str] = ()) -> PairSource:
        """Return the pairs that ``choice`` wants of the training places; raises DataError."""
        ...

    def retrieval_sets(self, root: Path, parts: Sequence[str] = ()) -> list[RetrievalSet]:
        """Return the official queries and galleries; raises DataError."""
        ...

    def count_table(self, root: Path, parts: Sequence[str] = ()) -> list[CountLine]:
        """Count what is in the folder, beside the counts of the full benchmark; raises DataError."""
        ...

    def faults(self, root: Path, parts: Sequence[str] = ()) -> list[str]:
        """Describe all that is wrong with the folder; raises DataError where it is no folder of this benchmark."""
        ...

    def deviations(self, root: Path, parts: Sequence[str] = ()) -> list[Deviation]:
        """List what differs from the full benchmark; empty where scores may bear its name."""
        ...

    def pictures(self, root: Path, parts: Sequence[str] = ()) -> list[Path]:
        """List every picture that training or the test reads."""
        ...


def count_deviations(lines: Iterable[CountLine]) -> list[Deviation]:
    """List the lines whose counts are not those of the full benchmark."""
    return [
        Deviation(
            line.part,
            f"{line.name}: {line.here.places} of {line.full.places} places, "
            f"{line.here.pictures} of {line.full.pictures} pictures",
        )
        for line in lines
        if line.full is not None and line.here != line.full
    ]
