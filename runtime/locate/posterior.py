"""How probable each place of the map is: a few placements with a Kalman filter each, and the rest of the map alike.

Markov localisation: bel(x) ~ p(z | x) sum p(x | x', u) bel(x'). A frame's evidence is a mixture over the map,
p(z | x) ~ e + (1 - e) A sum p_i N(x; z_i, R): with probability e it says nothing, else it shows place i, and A is the
map's area, so that evidence that knows nothing is 1 everywhere. Each of its places that no placement explains becomes
one. Where a single frame looks like six places, a few frames in a row look like one.

Source: Thrun, Burgard and Fox, Probabilistic Robotics, sections 7.5 (mixtures of Gaussians) and 6.3 (the outlier's
share). ``tests/runtime/locate/bayes_grid.py`` is the slow reference, cell by cell.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np

from runtime.locate.belief_limits import POSTERIOR
from runtime.locate.placement import Lineage, Placement, merged
from runtime.locate.track import Track
from runtime.types import FloatArray


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where one look puts the drone: places that exclude each other, and the chance that it says nothing."""

    t_us: int
    position_en_m: FloatArray  # (K, 2)
    probability: FloatArray  # (K,) of each place if the look says anything; what is missing to 1 is spread over the map
    cov_m2: FloatArray  # (2, 2) of each
    outlier_share: float


@dataclass(frozen=True, slots=True)
class Posterior:
    """A distribution over the map."""

    area_m2: float
    placements: tuple[Placement, ...] = ()  # the most probable first
    elsewhere: float = 1.0  # probability of being anywhere on the map
    births: Lineage = ""  # of placements that arise

    def with_start(self, track: Track, probability: float) -> Posterior:
        """Begin at a place that somebody vouches for; what arises beside it is against it until it is confirmed."""
        begun = Placement(track, probability, agreed=1, lineage="start")  # one more that agrees bears it out
        return replace(self, placements=(begun,), elsewhere=1.0 - probability, births="against the start")

    def without_lineages(self) -> Posterior:
        """Return the same distribution, with the question of the start closed."""
        return replace(self, placements=tuple(replace(one, lineage="") for one in self.placements), births="")

    @property
    def leader(self) -> Placement | None:
        """The most probable placement."""
        return self.placements[0] if self.placements else None

    def predicted(self, t_us: int) -> Posterior:
        """Carry every placement by its own speed."""
        return self._leaked([one.predicted(t_us) for one in self.placements])

    def carried(self, t_us: int, shift_en_m: FloatArray, cov_m2: FloatArray) -> Posterior:
        """Carry every placement by a displacement that is known."""
        return self._leaked([one.carried(t_us, shift_en_m, cov_m2) for one in self.placements])

    def with_retrieval(self, seen: Evidence) -> Posterior:
        """Take in the places that a frame looks like: many, vague, and often none of them right."""
        says = 1.0 - seen.outlier_share
        rest = says * max(1.0 - float(seen.probability.sum()), 0.0) + seen.outlier_share
        placements = []
        for one in self.placements:
            near = says * seen.probability * self._density(one.track, seen)  # (K,)
            total = float(near.sum()) + rest
            placements.append(
                replace(one, track=_towards(one.track, seen, near, rest), probability=one.probability * total)
            )
        births = [
            Placement(
                Track.at(seen.t_us, place, seen.cov_m2), self.elsewhere * says * float(share), lineage=self.births
            )
            for place, share in zip(seen.position_en_m, seen.probability, strict=True)
        ]
        return self._tidy([*placements, *births], self.elsewhere * rest)

    def with_registration(self, seen: Evidence) -> Posterior:
        """Take in one place that a frame was registered at: precise, and either right or a fluke.

        A placement outside whose gate it lies loses its probability, and its past is not touched.
        """
        place, share = seen.position_en_m[0], seen.outlier_share
        says, placements = 1.0 - share, []
        for one in self.placements:
            inside = one.track.distance2(place, seen.cov_m2) <= POSTERIOR.gate_99
            density = float(self._density(one.track, seen)[0]) if inside else 0.0
            probability = one.probability * (says * density + share)
            if not inside:
                placements.append(replace(one, probability=probability, unmatched=one.unmatched + 1))
                continue
            track = one.track.seen_at(place, seen.cov_m2)
            placements.append(replace(one, probability=probability).registered(seen.t_us, track, share, density))
        birth = Placement(
            Track.at(seen.t_us, place, seen.cov_m2),
            self.elsewhere * says,
            agreed=int(share <= POSTERIOR.counting_outlier_share),
            strong=share <= POSTERIOR.strong_outlier_share,
            anchored_us=seen.t_us,
            lineage=self.births,
        )
        return self._tidy([*placements, birth], self.elsewhere * share)

    def without_match(self) -> Posterior:
        """Take in that a frame saw ground and matched nothing: a run of those retires an anchor."""
        return replace(self, placements=tuple(one.without_match() for one in self.placements))

    def density(self, seen: Evidence) -> FloatArray:  # (K,)
        """Return how probable each of the places was before they were seen; 1 is anywhere on the map."""
        total = np.full(len(seen.position_en_m), self.elsewhere)
        for one in self.placements:
            total += one.probability * self._density(one.track, seen)
        return total

    def mode(self) -> Placement | None:
        """Return the leader with all placements near it as one: the likeliest place, and how wide it is."""
        if not self.placements:
            return None
        leader, *others = self.placements
        place = leader.track.position_en_m
        for other in others:
            if math.dist(other.track.position_en_m, place) <= POSTERIOR.mode_radius_m:
                leader = merged(leader, other)
        return leader

    def about(self, shift_en_m: FloatArray) -> Posterior:
        """Return the same distribution about another origin, from which the old one lies ``shift_en_m`` away."""
        moved = (replace(one, track=one.track.about(shift_en_m)) for one in self.placements)
        return replace(self, placements=tuple(moved))

    def _density(self, track: Track, seen: Evidence) -> FloatArray:  # (K,)
        """Return how much more probable each place is from here than from anywhere on the map."""
        cov = track.position_cov_m2 + seen.cov_m2
        away = seen.position_en_m - track.position_en_m
        distance2 = np.einsum("ki,ij,kj->k", away, np.linalg.inv(cov), away)
        peak = self.area_m2 / (2.0 * math.pi * math.sqrt(float(np.linalg.det(cov))))
        return np.asarray(peak * np.exp(-0.5 * distance2))

    def _leaked(self, placements: Sequence[Placement]) -> Posterior:
        """Let a little probability go: whatever is believed may be wrong, and the drone anywhere."""
        keep = 1.0 - POSTERIOR.leak
        kept = [replace(one, probability=one.probability * keep) for one in placements]
        return self._tidy(kept, self.elsewhere * keep + POSTERIOR.leak)

    def _tidy(self, placements: Sequence[Placement], elsewhere: float) -> Posterior:
        """Make one of placements about the same place, drop improbable and vague ones, and let all sum up to 1."""
        total = sum(one.probability for one in placements) + elsewhere
        kept: list[Placement] = []
        for one in sorted(placements, key=lambda one: -one.probability):
            share = one.probability / total
            if share < POSTERIOR.min_probability or one.track.sigma_m > POSTERIOR.max_sigma_m:
                continue
            shared = replace(one, probability=share)
            same = next((i for i, other in enumerate(kept) if _same_place(shared, other)), None)
            if same is not None:
                kept[same] = merged(kept[same], shared)
            elif len(kept) < POSTERIOR.placements:
                kept.append(shared)
        kept.sort(key=lambda one: -one.probability)
        return replace(self, placements=tuple(kept), elsewhere=1.0 - sum(one.probability for one in kept))

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "area_m2": self.area_m2,
            "births": self.births,
            "placements": [one.to_json() for one in self.placements],
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Posterior:
        """Read what :meth:`to_json` wrote; raises KeyError, TypeError or ValueError."""
        placements = tuple(Placement.from_json(one) for one in values["placements"])
        elsewhere = 1.0 - sum(one.probability for one in placements)
        if not (values["area_m2"] > 0.0 and elsewhere >= -1e-9 and values["births"] in get_args(Lineage)):
            raise ValueError(f"area {values['area_m2']} m2, probabilities that leave {elsewhere}")
        return cls(float(values["area_m2"]), placements, elsewhere, values["births"])


def _same_place(a: Placement, b: Placement) -> bool:
    """Tell whether two placements are one: no further apart than either is wide, and about as wide."""
    if a.lineage != b.lineage:
        return False  # which of the two is right is the question
    narrow, wide = sorted((a.track.position_cov_m2, b.track.position_cov_m2), key=np.trace)
    if np.trace(wide) > POSTERIOR.same_width * np.trace(narrow):
        return False
    east, north = (a.track.position_en_m - b.track.position_en_m).tolist()
    (ee, en), (_, nn) = narrow.tolist()
    distance2 = (nn * east * east - 2 * en * east * north + ee * north * north) / (ee * nn - en * en)
    return bool(distance2 <= POSTERIOR.same_place_distance2)


def _towards(track: Track, seen: Evidence, near: FloatArray, rest: float) -> Track:
    """Update a track by places of which each may be the one, or none (probabilistic data association)."""
    total = float(near.sum())
    if not total > POSTERIOR.negligible_share * rest:
        return track
    before = track.position_cov_m2
    gain = before @ np.linalg.inv(before + seen.cov_m2)
    after = before - gain @ before
    share = np.append(near, rest) / (total + rest)  # (K + 1,)
    step = np.vstack([(seen.position_en_m - track.position_en_m) @ gain.T, np.zeros((1, 2))])
    mean = share @ step
    away = step - mean
    cov = (1.0 - share[-1]) * after + share[-1] * before + np.einsum("k,ki,kj->ij", share, away, away)
    return track.narrowed_to(track.position_en_m + mean, cov)
