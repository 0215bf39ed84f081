"""Places held out of training: how well they are found chooses the best encoder, and shows where it is wrong."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from train.data.dataset import Item, PairDataset
from train.fit.plots import plot_hardness
from train.fit.run_state import Run
from train.model.checkpoint import BEST, save_encoder
from train.scoring.confusions import Answer, Confusion, Miss, confusion_grid, worst_misses
from train.scoring.embed import embed_views, embed_with
from train.scoring.ranking import score

HARDNESS, CONFUSIONS = "hardness.png", "confusions.png"
_HARDNESS_PLACES = 256  # each is a triplet with each other one, twice
_HARDNESS_TIMES = 3  # beside the start
_CONFUSION_QUERIES = 1000


class HeldOut:
    """Validates a run, and keeps of the last time what pictures are drawn from."""

    def __init__(self, data: PairDataset) -> None:
        self._data = data
        self._places = np.asarray(data.places, np.int64)
        self._rows: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None  # (N, D) drone views, tiles

    def validate(self, run: Run) -> dict[str, float]:
        """Scores of drone view to tile; the best encoder so far, by R@1 and then AP, is saved."""
        self._rows = drone, tile = embed_views(embed_with(run.scored), self._data)
        scores = asdict(score(drone, tile, self._places, self._places))
        if run.step and (scores["r1"], scores["ap"]) > run.best:
            summary = {"step": run.step, "elapsed_s": run.elapsed_s, **scores}
            save_encoder(run.out / BEST, run.scored, run.spec.to_json(), summary)
            run.best = (scores["r1"], scores["ap"])
        if len(run.hardness) <= int(_HARDNESS_TIMES * run.progress):
            run.hardness[f"step {run.step}"] = self._hardness(run, drone, tile)
        return {name: scores[name] for name in ("r1", "r5", "r10", "r1_percent", "ap")}

    def draw(self, run: Run) -> list[Path]:
        """Pictures of how hard places were and of what is taken for what; those that there was something to draw of."""
        drawn = []
        if run.hardness:
            dphr = run.spec.dphr
            weights = (dphr.w_min, dphr.w_max) if dphr and dphr.rda else (1.0, 1.0)
            hardness = {time: values.numpy() for time, values in run.hardness.items()}
            plot_hardness(hardness, run.out / HARDNESS, w_min=weights[0], w_max=weights[1])
            drawn.append(run.out / HARDNESS)
        if self._rows is None and run.progress >= 1.0:  # resumed when it had only its pictures to draw
            self._rows = embed_views(embed_with(run.scored), self._data)
        if self._rows:
            self._draw_confusions(*self._rows, run.out / CONFUSIONS)
            drawn.append(run.out / CONFUSIONS)
        return drawn

    def _hardness(self, run: Run, drone: NDArray[np.float32], tile: NDArray[np.float32]) -> torch.Tensor:
        place, drones, tiles = (torch.from_numpy(values[:_HARDNESS_PLACES]) for values in (self._places, drone, tile))
        return run.objective.hardness(drones, tiles, place[:, None] == place)

    def _draw_confusions(self, drone: NDArray[np.float32], tile: NDArray[np.float32], path: Path) -> None:
        queries = slice(_CONFUSION_QUERIES)
        similarity = drone[queries] @ tile.T
        misses = worst_misses(similarity, self._places[queries, None] == self._places)
        title = f"surest mistakes of the encoder at the end, of {len(similarity)} held-out drone views"
        confusion_grid([self._confusion(miss, similarity[miss.query]) for miss in misses], path, title=title)

    def _confusion(self, miss: Miss, similarity: NDArray[np.float32]) -> Confusion:
        def answer(scene: int) -> Answer:
            right = self._places[scene] == self._places[miss.query]
            return Answer(self._data.views(Item(0, scene)).tile, float(similarity[scene]), bool(right))

        query = self._data.views(Item(0, miss.query)).drone
        name = Path(self._data.names[miss.query]).name
        return Confusion(query, [answer(s) for s in miss.answers], answer(miss.truth), miss.truth_rank, name)
