"""``python -m train.evaluate``: how well an encoder finds the place, on a public benchmark or on data of one's own."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from runtime.command import run_command
from runtime.errors import DataError, SettingsError
from runtime.progress import progress

if TYPE_CHECKING:
    from train.data.retrieval_set import RetrievalSet
    from train.scoring.embed import Rows
    from train.scoring.open_encoder import Opened
    from train.scoring.ranking import Ranking
    from train.scoring.robustness import Curves

FORMAT = 1
SCORES, TABLE, PLACES, ROBUSTNESS = "scores.json", "table.txt", "places.csv", "robustness.png"

_EPILOG = """examples:
  python -m train.evaluate runs/paper/best.safetensors --data university1652:University-Release --out scores
      the official test, both directions, with its 250 distractors; scores.json, table.txt, places.csv, failures
  python -m train.evaluate my.bundle --data sues200:SUES-200-512x512#150 --protocol sample4geo --dim 128
      an exported bundle, its embeddings cut to 128 numbers, counted as the Sample4Geo family counts
  python -m train.evaluate runs/edge/best.safetensors --data overhead:pictures@0.3 --robustness
      the held-out places of a manifest.csv, as views rendered with errors of pose and another light

R@1% reads the public way: the right one among the first round(N / 100) + 1. AP is trapezoidal. A wrong picture that
is exactly as similar comes before the right one. Choose models on held-out train places (--split val), never here.

--robustness turns the drone's picture about its middle, scales it as another altitude would, and shifts it by a share
of its side; beyond its edges it goes on as its mirror image.
"""


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0 scored, 1 an error told in one line, 2 usage."""
    parser = argparse.ArgumentParser(
        prog="python -m train.evaluate",
        description="Score an encoder: for each picture the right one of the other view among all.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("encoder", type=Path, metavar="CHECKPOINT|BUNDLE", help="a .safetensors file of a run, or a .bundle folder")
    add("--data", action="append", required=True, metavar="KIND:PATH[@GSD]", help="as for train.run")
    add(
        "--split",
        choices=["test", "val", "train", "all"],
        help="test: a benchmark's own (its default); else which places, as rendered pairs (default: val)",
    )
    add(
        "--protocol",
        choices=["official", "sample4geo"],
        default="official",
        help="official keeps distractors in the gallery; sample4geo deletes them, which lifts R@1 (default: official)",
    )
    add("--flips", action="store_true", help="sum each embedding with that of the mirrored picture; say so in a paper")
    add("--dim", type=int, metavar="D", help="keep the first D numbers of an embedding (a run with --matryoshka)")
    add("--robustness", nargs="?", type=int, const=500, metavar="N", help="R@1 over errors of pose, N queries (500)")
    add("--augment", type=float, default=1.0, metavar="0..1", help="how much rendered views change (default: 1)")
    add("--precision", choices=["fp32", "fp16", "int8"], help="of a bundle (default: fp32, or fp16 where it has none)")
    add("--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="threads that read pictures")
    add("--out", type=Path, metavar="FOLDER", help=f"write {SCORES}, {TABLE}, {PLACES} and pictures of failures")
    args = parser.parse_args(argv)
    for name in ("dim", "robustness", "workers"):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            parser.error(f"--{name} must be 1 or more")
    return run_command("train.evaluate", lambda: _evaluate(args))


class _Group(NamedTuple):
    """Sets that share pictures, and why they are not quite what their name says."""

    sets: Sequence[RetrievalSet]
    remarks: Sequence[str]


class _Result(NamedTuple):
    """What became of one set."""

    asked: RetrievalSet
    ranking: Ranking
    distances: Mapping[str, Any] | None
    curves: Curves | None


def _evaluate(args: argparse.Namespace) -> int:
    import cv2

    from train.scoring.open_encoder import open_encoder
    from train.scoring.report import set_scores

    cv2.setNumThreads(1)  # pictures are read in threads of our own
    started = time.monotonic()
    encoder = open_encoder(args.encoder, args.precision, dim=args.dim, flips=args.flips)
    groups = [*_benchmarks(args), *_matched(args), *_rendered(args, encoder.side_px)]
    names = [asked.name for group in groups for asked in group.sets]
    if len(set(names)) < len(names):
        raise SettingsError(f"{', '.join(args.data)}: two sets would bear one name; score one folder at a time")
    results = [result for group in groups for result in _score_group(args, encoder, group.sets)]
    report = {
        "format": FORMAT,
        "encoder": encoder.about(),
        "data": args.data,
        "protocol": args.protocol,
        "flips_summed": args.flips,
        "remarks": [remark for group in groups for remark in group.remarks],
        "sets": {r.asked.name: set_scores(r.ranking, r.distances) for r in results},
        "robustness": {r.asked.name: r.curves for r in results if r.curves},
        "robustness_queries": args.robustness,
        "seconds": round(time.monotonic() - started, 1),
    }
    _print(report)
    if args.out:
        _write(args.out, report, results)
    return 0


def _benchmarks(args: argparse.Namespace) -> Iterator[_Group]:
    """The tests of the benchmarks among the data; raises DataError."""
    from train.data.benchmarks.registry import BENCHMARKS, BenchmarkFolder
    from train.data.open import Entry

    for text in args.data:
        entry = Entry.parse(text)
        if entry.kind not in BENCHMARKS or args.split not in (None, "test"):
            continue
        found = BenchmarkFolder.parse(entry.kind, entry.where)
        sets = found.retrieval_sets()
        if args.protocol == "sample4geo":
            sets = [asked.without_distractors() for asked in sets]
        lacks = "; ".join(d.text for d in found.deviations() if d.part != "train")  # the test alone is scored
        yield _Group(sets, [f"{entry.kind}:{entry.where} is not the full benchmark: {lacks}"] if lacks else [])


def _matched(args: argparse.Namespace) -> Iterator[_Group]:
    """Unregistered pairs: places of the split ask, pictures of all places may answer; raises DataError."""
    from train.data.manifest import Choice
    from train.data.open import Entry, matched_pictures

    choice = Choice(None if args.split == "all" else args.split or "val")
    for text in args.data:
        entry = Entry.parse(text)
        if matched := matched_pictures(entry, choice):
            remark = f"{entry.kind}:{entry.where}: split {choice.split or 'all'} asks, all places are in the gallery"
            yield _Group(matched.retrieval_sets(choice), [remark])


def _rendered(args: argparse.Namespace, side_px: int) -> Iterator[_Group]:
    """Pairs of views of all other data together, as the trainer sees them; raises SkyfixError."""
    from train.data.benchmarks.registry import BENCHMARKS
    from train.data.dataset import PairDataset
    from train.data.manifest import Choice
    from train.data.open import Entry, matched_pictures, open_sources
    from train.data.view_spec import ViewSpec
    from train.scoring.embed import VIEWS_SEED, view_sets

    as_pairs = args.split not in (None, "test")
    entries = {text: Entry.parse(text) for text in args.data}
    data = [text for text, entry in entries.items() if as_pairs or entry.kind not in BENCHMARKS]
    data = [text for text in data if not matched_pictures(entries[text], Choice())]
    if not data:
        return
    split: Any = args.split or "val"
    if split == "test":
        raise DataError(f"--split test is of benchmarks ({', '.join(BENCHMARKS)}); {data[0]} has val, train and all")
    sources = open_sources(data, Choice(None if split == "all" else split), ViewSpec(), max_broken=0.0)
    views = PairDataset(sources, seed=VIEWS_SEED, side_px=side_px, strength=args.augment)
    if len(views) < 2:
        raise DataError(f"{', '.join(data)} has {len(views)} places in split {split}; try --split all")
    yield _Group(view_sets(views), [f"{', '.join(data)}: split {split}, rendered with --augment {args.augment:g}"])


def _score_group(args: argparse.Namespace, encoder: Opened, sets: Sequence[RetrievalSet]) -> list[_Result]:
    """Embed every picture of the sets once and rank it; raises DataError."""
    from train.scoring.distances import TOP, distance_scores
    from train.scoring.embed import embed_sets, rank_set
    from train.scoring.report import draw_failures

    with progress("pictures") as tick:
        rows = embed_sets(encoder.embed, sets, encoder.side_px, workers=args.workers, tick=tick)
    results = []
    for asked in sets:
        ranking = rank_set(asked, rows, top=TOP)
        curves = _curves(args, encoder, asked, rows) if args.robustness and asked.asks_from_drone else None
        results.append(_Result(asked, ranking, distance_scores(asked, ranking.answers), curves))
        if args.out:
            draw_failures(args.out / _failures(asked), asked, ranking, rows)
    return results


def _curves(args: argparse.Namespace, encoder: Opened, asked: RetrievalSet, rows: Rows) -> Curves:
    from train.scoring.embed import stacked
    from train.scoring.robustness import robustness

    gallery, side_px = stacked(rows, asked.gallery), encoder.side_px
    with progress("changes") as tick:
        return robustness(
            encoder.embed, asked, gallery, side_px, queries=args.robustness, workers=args.workers, tick=tick
        )


def _print(report: Mapping[str, Any]) -> None:
    from train.scoring.report import print_table, table_lines

    if sys.stdout.isatty():
        print_table(report["sets"])
    else:
        print("\n".join(table_lines(report["sets"])))
    for line in _about(report):
        print(line)


def _about(report: Mapping[str, Any]) -> list[str]:
    """What a reader of the figures has to know."""
    flips = "test-time flips summed" if report["flips_summed"] else "no test-time flips"
    return [f"protocol {report['protocol']}, {flips}, D = {report['encoder']['dim']}", *report["remarks"]]


def _write(out: Path, report: Mapping[str, Any], results: Sequence[_Result]) -> None:
    from runtime.files import write_text_whole
    from train.scoring.report import table_lines, write_places
    from train.scoring.robustness import plot_robustness

    write_text_whole(out / SCORES, json.dumps(report, indent=2) + "\n")
    write_text_whole(out / TABLE, "\n".join([*table_lines(report["sets"]), *_about(report)]) + "\n")
    write_places(out / PLACES, [(r.asked, r.ranking) for r in results])
    if report["robustness"]:
        plot_robustness(report["robustness"], out / ROBUSTNESS)
    written = [SCORES, TABLE, PLACES, *([ROBUSTNESS] if report["robustness"] else [])]
    for name in [*written, *(_failures(r.asked) for r in results)]:
        print(out / name, file=sys.stderr)


def _failures(asked: RetrievalSet) -> str:
    """The file name of a set's failures."""
    return f"failures-{re.sub(r'[^a-z0-9]+', '-', asked.name.lower())}.png"


if __name__ == "__main__":
    sys.exit(main())
