"""Places held out of training: how well they are found chooses the best encoder, and shows where it is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from train.data.dataset import Item, PairDataset
from train.losses.objective import Objective
from train.model.encoder import Encoder
from train.scoring.confusions import Answer, Confusion, Miss, confusion_grid, worst_misses
from train.scoring.embed import embed_views, embed_with
from train.scoring.ranking import Scores, score

_HARDNESS_PLACES = 256  # each is a triplet with each other one, twice
_CONFUSION_QUERIES = 1000


@dataclass(frozen=True, slots=True)
class HeldOutRows:
    """The embeddings of the held-out places at one time of a run."""

    drone: NDArray[np.float32]  # (N, D) unit-norm
    tile: NDArray[np.float32]  # (N, D) unit-norm; row i is of the same scene


class HeldOut:
    """The held-out places of a run, in views that are the same for every run."""

    def __init__(self, data: PairDataset) -> None:
        """Take the places of ``data``, which shows none with another one beside it."""
        self._data = data
        self._places = np.asarray(data.places, np.int64)

    def embed(self, encoder: Encoder) -> HeldOutRows:
        """Embed the drone view and the tile of every scene; raises DataError."""
        return HeldOutRows(*embed_views(embed_with(encoder), self._data))

    def score(self, rows: HeldOutRows) -> Scores:
        """Score where the right tile comes among all, for each drone view."""
        return score(rows.drone, rows.tile, self._places, self._places)

    def hardness(self, objective: Objective, rows: HeldOutRows) -> torch.Tensor:  # (n,) in (0, 1)
        """Return RDA's hardness of the triplets of the first places."""
        some = slice(_HARDNESS_PLACES)
        place, drone, tile = (torch.from_numpy(values[some]) for values in (self._places, rows.drone, rows.tile))
        return objective.hardness(drone, tile, place[:, None] == place)

    def draw_confusions(self, rows: HeldOutRows, path: Path) -> None:
        """Draw the surest mistakes of drone view to tile as PNG."""
        queries = slice(_CONFUSION_QUERIES)
        similarity = rows.drone[queries] @ rows.tile.T
        misses = worst_misses(similarity, self._places[queries, None] == self._places)
        title = f"surest mistakes of the encoder at the end, of {len(similarity)} held-out drone views"
        confusion_grid([self._confusion(miss, similarity[miss.query]) for miss in misses], path, title=title)

    def _confusion(self, miss: Miss, similarity: NDArray[np.float32]) -> Confusion:
        """Render the pictures of one mistake."""

        def answer(scene: int) -> Answer:
            right = self._places[scene] == self._places[miss.query]
            return Answer(self._data.views(Item(0, scene)).tile, float(similarity[scene]), bool(right))

        query = self._data.views(Item(0, miss.query)).drone
        name = Path(self._data.names[miss.query]).name
        return Confusion(query, [answer(s) for s in miss.answers], answer(miss.truth), miss.truth_rank, name)
