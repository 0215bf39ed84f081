"""Search of a million rows against faiss and against the memory's own speed, all measured in one run.

    python benchmarks/search.py PICTURES ENCODER [--rows 1000000] [--threads 2]

Rows are real: embeddings of squares of the PICTURES, made into as many as are wanted by adding the difference of two
others to each (their statistics stay, none is a copy). Queries are views of some of these squares as another day's
drone would see them, the same views undistorted, and rows with as much noise added as they are long. Recall is against
exact float32 search over the float rows; the peer is faiss' IndexScalarQuantizer, 8 bits, flat. Streaming is a
reduction of the same bytes by as many threads.
"""

from __future__ import annotations

import argparse
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import faiss
import numpy as np
from numpy.typing import NDArray
from report import median_ms, print_setting

from runtime.model.preprocess import encoder_input
from runtime.tiles.cache import TileCache
from runtime.tiles.format import Rows, quantise_rows, write_rows
from runtime.tiles.metadata import CacheMetadata, EncoderFacts, Level, MapFacts
from runtime.tiles.search import Searcher, highest
from train.data.source import pictures_under, read_picture
from train.data.view_pair import render_views
from train.data.view_spec import ViewSpec
from train.render.augment import augment
from train.scoring.open_encoder import open_encoder

K, QUERIES, BATCH = 10, 64, 32
_KINDS = ("another day", "undistorted", "row and noise")  # of queries, so many of each
SHORTLIST = 256
_STRIDE_DEG = 32.0 / 111_000  # between rows, as of tiles of 128 m


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("encoder", help="a checkpoint or a bundle")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--real", type=int, default=4000, help="squares that are embedded (%(default)s)")
    parser.add_argument("--spread", type=float, default=0.5, help="share of a difference that is added (%(default)s)")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    print_setting(args.threads)
    rows, queries = _embeddings(args)
    print(f"{len(rows):,} rows x {rows.shape[1]}-D int8, top {K}, one query at a time; faiss {faiss.__version__}")
    exact = faiss.IndexFlatIP(rows.shape[1])
    exact.add(rows)
    right = exact.search(queries, K)[1]
    del exact
    peer_ms = _faiss(rows, queries, right, args.threads)
    with TemporaryDirectory() as folder:
        cache = _cache(Path(folder) / "large.tiles", rows)
        del rows
        ours_ms, scan_ms = _ours(cache, queries, right, args.threads)
        stream_ms = _stream(cache, args.threads)
        print(f"  streaming the same bytes {stream_ms:8.2f} ms; the scan takes {scan_ms / stream_ms:.2f} of it")
        print(f"  faster than faiss        {peer_ms / ours_ms:8.1f} times")
        _open(cache.path, queries)


def _embeddings(args: argparse.Namespace) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    opened, rng = open_encoder(Path(args.encoder), None), np.random.default_rng(0)
    paths, upright = pictures_under(args.pictures), ViewSpec(footprint_m=(45.0, 128.0), tilt_deg=45.0, offset=0.1)
    tiles, drones, plain = [], [], []
    for k in range(args.real):
        views = render_views(read_picture(paths[k % len(paths)]), 0.3, rng, side_px=opened.side_px, spec=upright)
        tiles.append(views.tile)
        if k >= args.real - QUERIES:
            drones.append(encoder_input(augment(views.drone, rng, 0.5), views.drone_seen, opened.side_px))
            plain.append(encoder_input(views.drone, views.drone_seen, opened.side_px))
    real, *queries = (
        np.concatenate([opened.embed(np.stack(some[i : i + BATCH])) for i in range(0, len(some), BATCH)])
        for some in (tiles, drones, plain)
    )
    rows = np.empty((args.rows, real.shape[1]), np.float32)
    for first in range(0, args.rows, 50_000):
        a, b, c = rng.integers(len(real), size=(3, min(50_000, args.rows - first)))
        some = real[a] + np.float32(args.spread) * (real[b] - real[c])
        rows[first : first + len(some)] = _unit(some)
    noise = _unit(rng.normal(size=(QUERIES, rows.shape[1])))
    noisy = _unit(rows[rng.integers(len(rows), size=QUERIES)] + noise)
    return rows, np.concatenate([*queries, noisy])


def _unit(rows: NDArray[np.floating]) -> NDArray[np.float32]:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def _faiss(rows: NDArray[np.float32], queries: NDArray[np.float32], right: NDArray[np.int64], threads: int) -> float:
    faiss.omp_set_num_threads(threads)
    peer = faiss.IndexScalarQuantizer(rows.shape[1], faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT)
    peer.train(rows[:100_000])
    peer.add(rows)
    found = np.concatenate([peer.search(q[None], K)[1] for q in queries[:QUERIES]])
    took_ms = median_ms(lambda: peer.search(queries[:1], K), calls=15)
    print(f"  faiss SQ8 flat           {took_ms:8.2f} ms  recall@{K} {_recall(found, right[:QUERIES]):.3f}")
    return took_ms


def _ours(
    cache: TileCache, queries: NDArray[np.float32], right: NDArray[np.int64], threads: int
) -> tuple[float, float]:
    """Milliseconds of a search as it flies (a scan, then the exact cosine of a shortlist), and of the scan alone."""
    searcher, whole = Searcher(cache, threads), slice(None)

    def nearest(query: NDArray[np.float32]) -> NDArray[np.int64]:
        short = highest(searcher.scan(query[None], whole)[0], SHORTLIST)
        return short[np.argsort(-searcher.exact(query, short), kind="stable")][:K]

    found = np.stack([nearest(query) for query in queries])
    took_ms = median_ms(lambda: nearest(queries[0]), calls=31)
    scan_ms = median_ms(lambda: searcher.scan(queries[:1], whole), calls=15)
    four_ms = median_ms(lambda: searcher.scan(queries[:4], whole), calls=15)
    print(
        f"  Skyfix                   {took_ms:8.2f} ms; the scan alone {scan_ms:.2f}, of four at once {four_ms:.2f} ms"
    )
    for i, kind in enumerate(_KINDS):
        of = slice(i * QUERIES, (i + 1) * QUERIES)
        print(f"    recall@{K} {kind:13} {_recall(found[of], right[of]):.3f}")
    return took_ms, scan_ms


def _stream(cache: TileCache, threads: int) -> float:
    words = np.asarray(cache.embedding).reshape(-1).view(np.int64)
    edges = np.linspace(0, len(words), threads + 1).astype(int)
    with ThreadPoolExecutor(threads) as pool:
        return median_ms(
            lambda: list(pool.map(lambda a, b: np.bitwise_or.reduce(words[a:b]), edges[:-1], edges[1:])), calls=15
        )


def _open(path: Path, queries: NDArray[np.float32]) -> None:
    for lazy, what in ((False, "all of it checked"), (True, "in flight: rows are checked where they are read")):
        began = perf_counter()
        TileCache.open(path, lazy=lazy)
        took_ms = (perf_counter() - began) * 1e3
        print(f"  opening {path.stat().st_size / 1e6:.0f} MB           {took_ms:8.2f} ms, {what}")


def _recall(found: NDArray[np.int64], right: NDArray[np.int64]) -> float:
    return float(np.mean([len(set(f) & set(r)) / K for f, r in zip(found.tolist(), right.tolist(), strict=True)]))


def _cache(path: Path, rows: NDArray[np.float32]) -> TileCache:
    """A square of tiles in the order of a build, along a Z-order curve."""
    side = math.isqrt(len(rows) - 1) + 1
    y, x = np.divmod(np.arange(side * side), side)
    code = sum(((x >> b & 1) << 2 * b) | ((y >> b & 1) << 2 * b + 1) for b in range(12))
    order = np.argsort(code, kind="stable")[: len(rows)]
    held, scale = quantise_rows(rows)
    centre = np.column_stack([y, x])[order] * _STRIDE_DEG
    encoder, facts = EncoderFacts("drawn", "", "fp32", rows.shape[1]), MapFacts(0.0, "", 0, (18, 0, 0, 0, 0))
    levels = (Level(128.0, 32.0, len(rows), {}),)
    metadata = CacheMetadata(encoder, levels, (0.0, 0.0, side * _STRIDE_DEG, side * _STRIDE_DEG), facts, ())
    level = np.zeros(len(rows), np.uint8)
    write_rows(path, metadata, [Rows(held, scale, centre.astype(np.float64), level)])
    return TileCache.open(path)


if __name__ == "__main__":
    main()
