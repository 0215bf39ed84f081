"""The retrieval sets that an evaluation scores: benchmarks as published, unregistered pairs, and rendered views."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from runtime.errors import DataError, SettingsError
from train.data.benchmarks.registry import BENCHMARKS, BenchmarkFolder
from train.data.dataset import PairDataset
from train.data.manifest import Choice
from train.data.open import Entry, matched_pictures, open_sources
from train.data.retrieval_set import RetrievalSet
from train.data.view_spec import ViewSpec
from train.scoring.embed import VIEWS_SEED, view_sets
from train.scoring.evaluate_spec import EvaluateSpec


@dataclass(frozen=True, slots=True)
class SetGroup:
    """Some sets that share pictures, and what a reader of their scores has to know."""

    sets: Sequence[RetrievalSet]
    remarks: Sequence[str]


def open_sets(spec: EvaluateSpec, side_px: int) -> list[SetGroup]:
    """Open the sets of all data, each under a name of its own; raises SkyfixError.

    Rendered views are ``side_px`` wide; other pictures are as they lie on the disk.
    """
    groups = [*_benchmark_sets(spec), *_unregistered_sets(spec), *_rendered_sets(spec, side_px)]
    names = [retrieval_set.name for group in groups for retrieval_set in group.sets]
    if len(set(names)) < len(names):
        raise SettingsError(f"{', '.join(spec.data)}: two sets would bear one name; score one folder at a time")
    return groups


def _benchmark_sets(spec: EvaluateSpec) -> Iterator[SetGroup]:
    """Open the tests of the benchmarks among the data; raises DataError."""
    for text in spec.data:
        entry = Entry.parse(text)
        if entry.kind not in BENCHMARKS or spec.split not in (None, "test"):
            continue
        benchmark = BenchmarkFolder.parse(entry.kind, entry.where)
        sets = benchmark.retrieval_sets()
        if spec.protocol == "sample4geo":
            sets = [retrieval_set.without_distractors() for retrieval_set in sets]
        lacks = "; ".join(d.text for d in benchmark.deviations() if d.part != "train")  # the test alone is scored
        yield SetGroup(sets, [f"{entry.kind}:{entry.where} is not the full benchmark: {lacks}"] if lacks else [])


def _unregistered_sets(spec: EvaluateSpec) -> Iterator[SetGroup]:
    """Open unregistered pairs: the places of the split ask, and the pictures of all may answer; raises DataError."""
    choice = Choice(None if spec.split == "all" else spec.split or "val")
    for text in spec.data:
        entry = Entry.parse(text)
        if pairs := matched_pictures(entry, choice):
            remark = f"{entry.kind}:{entry.where}: split {choice.split or 'all'} asks, all places are in the gallery"
            yield SetGroup(pairs.retrieval_sets(choice), [remark])


def _rendered_sets(spec: EvaluateSpec, side_px: int) -> Iterator[SetGroup]:
    """Open all other data together as pairs of views, as the trainer sees them; raises SkyfixError."""
    benchmarks_too = spec.split not in (None, "test")
    data = [text for text in spec.data if _is_rendered(Entry.parse(text), benchmarks_too=benchmarks_too)]
    if not data:
        return
    split = spec.split or "val"
    if split == "test":
        raise DataError(f"--split test is of benchmarks ({', '.join(BENCHMARKS)}); {data[0]} has val, train and all")
    sources = open_sources(data, Choice(None if split == "all" else split), ViewSpec(), max_broken=0.0)
    views = PairDataset(sources, seed=VIEWS_SEED, side_px=side_px, strength=spec.augment)
    if len(views) < 2:
        raise DataError(f"{', '.join(data)} has {len(views)} places in split {split}; try --split all")
    yield SetGroup(view_sets(views), [f"{', '.join(data)}: split {split}, rendered with --augment {spec.augment:g}"])


def _is_rendered(entry: Entry, *, benchmarks_too: bool) -> bool:
    """Tell whether data is scored as rendered views, and not as pictures that are given."""
    return (benchmarks_too or entry.kind not in BENCHMARKS) and not matched_pictures(entry, Choice())
