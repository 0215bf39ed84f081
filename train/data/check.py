"""Is a data set whole, and does it look right? What ``python -m train.data`` prints, line by line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from runtime.errors import DataError
from train.data.benchmarks.benchmark import CountLine
from train.data.benchmarks.registry import BENCHMARKS, BenchmarkFolder
from train.data.broken_pictures import broken_pictures
from train.data.dataset import Item, PairDataset
from train.data.manifest import Choice
from train.data.open import Entry, open_entry
from train.data.sheet import LabelledPair, write_sheet
from train.data.source import PairSource
from train.data.split import TRAIN_SPLITS, TrainSplit
from train.data.view_spec import ViewSpec

SAMPLED = 200  # pictures that are read where not all are asked for
_SEED = 0


@dataclass(frozen=True, slots=True)
class CheckSpec:
    """What to check, and the sheet of pairs to draw of it."""

    data: tuple[str, ...]  # KIND:PATH[@GSD_M]
    picture: Path | None = None  # the sheet; None draws none
    pairs: int = 16  # on the sheet
    side_px: int = 192  # of a picture on the sheet
    split: TrainSplit = "train"  # which places the sheet shows
    augment: float = 1.0  # 0..1, how much light, season and sensor change
    thorough: bool = False  # read every picture


@dataclass
class _Findings:
    """What the check of one entry after another has come to."""

    faults: list[str]
    shown: list[PairSource]  # sources of the split that the sheet shows


def check_data(spec: CheckSpec) -> Iterator[str]:
    """Yield the report's lines; raises DataError at the end where something is wrong, and earlier where all is."""
    findings = _Findings([], [])
    for text in spec.data:
        yield text
        yield from _check_entry(Entry.parse(text), spec, findings)
    if spec.picture is not None:
        _draw(spec.picture, spec, findings.shown)
        yield str(spec.picture)
    faults = list(dict.fromkeys(findings.faults))
    yield from (f"  wrong: {fault}" for fault in faults)
    if faults:
        raise DataError(f"{len(faults)} things are wrong, as told above")


def _check_entry(entry: Entry, spec: CheckSpec, findings: _Findings) -> Iterator[str]:
    """Yield the lines of one entry, and note in ``findings`` what is wrong with it."""
    folder = BenchmarkFolder.parse(entry.kind, entry.where) if entry.kind in BENCHMARKS else None
    if folder:
        yield from _benchmark_lines(folder)
        findings.faults += folder.faults()
    files = set(folder.pictures() if folder else ())
    for split in TRAIN_SPLITS:
        try:
            source = open_entry(entry, Choice(split), ViewSpec())
        except DataError as error:
            if not folder:
                raise
            yield f"  {split:6} none: {error}"  # a benchmark's test alone is no fault
            continue
        yield f"  {split:6} {len(set(source.places))} places, {len(source.places)} scenes"
        files |= set(source.files)
        if split == spec.split and source.places:
            findings.shown.append(source)
    chosen = sorted(files)[:: 1 if spec.thorough else max(1, len(files) // SAMPLED)]  # spread evenly
    if files:
        hint = "" if spec.thorough else " (--thorough reads all)"
        yield f"  {len(chosen)} of {len(files)} pictures read{hint}"
    findings.faults += [f"{path} cannot be read: {why}" for path, why in broken_pictures(chosen).items()]


def _benchmark_lines(folder: BenchmarkFolder) -> Iterator[str]:
    """Yield the table of counts, whether it is the full benchmark, and what the test asks."""
    lines = folder.count_table()
    width = max(len(line.name) for line in lines)
    yield f"  {'':{width}}  {'places':>7} {'pictures':>9}    of {'places':>7} {'pictures':>9}"
    yield from (_count_line(line, width) for line in lines)
    yield f"  the full benchmark: {'no; scores may not bear its name alone' if folder.deviations() else 'yes'}"
    try:
        for task in folder.retrieval_sets():
            yield f"  {task.name}: {len(task.queries)} queries, gallery {len(task.gallery)}"
    except DataError as error:
        yield f"  nothing to score: {error}"


def _count_line(line: CountLine, width: int) -> str:
    here, full = line.here, line.full
    whole = f"       {full.places:7} {full.pictures:9}" if full else " " * 24
    return f"  {line.name:{width}}  {here.places:7} {here.pictures:9} {whole}  {line.note}".rstrip()


def _draw(path: Path, spec: CheckSpec, sources: Sequence[PairSource]) -> None:
    """Write the sheet of pairs, as the trainer will get them; raises DataError where there are none."""
    data = PairDataset(sources, seed=_SEED, side_px=spec.side_px, strength=spec.augment)
    if not len(data):
        raise DataError(f"no places in split {spec.split} to draw")
    scenes = np.random.default_rng(_SEED).permutation(len(data))[: spec.pairs]
    views = [(data.names[k], data.views(Item(0, int(k)))) for k in sorted(scenes)]
    write_sheet(path, [LabelledPair(name, view.drone, view.tile) for name, view in views])
