"""Finds a frame on the map: about the place that is believed, else anywhere; and says how sure that is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from runtime.fix import NoFixReason
from runtime.frame import Frame
from runtime.geo.local import LocalFrame
from runtime.locate.belief import Belief
from runtime.locate.belief_limits import BELIEF, POSTERIOR
from runtime.locate.candidates import Finder, Found, TileView
from runtime.locate.domain import DomainMean
from runtime.locate.limits import REGISTRATION, Limits
from runtime.locate.mount import MountEstimate
from runtime.locate.posterior import Posterior
from runtime.locate.retrieve import Candidate, Likeness, Look
from runtime.locate.track import Track
from runtime.locate.verify import RegisteredView, Verifier, ViewKeypoints
from runtime.types import FloatArray


@dataclass(frozen=True, slots=True)
class Sight:
    """What one frame is looked for with: what it shows, and what is believed of place and mount."""

    frame: Frame
    local: LocalFrame  # of the belief's metres
    keypoints: Sequence[ViewKeypoints]
    grounds: Sequence[TileView]
    mount: MountEstimate
    domain: DomainMean = field(default_factory=DomainMean)


@dataclass(frozen=True, slots=True)
class Sought:
    """What came of it: a registration, or why there is none; and the belief with what retrieval said."""

    belief: Belief
    found: RegisteredView | NoFixReason
    likeness: Likeness | None = None  # after a search of all the map
    looks: Sequence[Look] = ()  # where the encoder was asked

    def taught(self, before: DomainMean) -> DomainMean:
        """Take what the encoder saw into what the flight's frames have in common."""
        if not self.looks:
            return before
        best_cosine = None if self.likeness is None else self.likeness.best_cosine
        return before.learned([look.embedding for look in self.looks], best_cosine)

    @property
    def contradicts_leader(self) -> bool:
        """Whether the encoder sees another place than the one that is believed."""
        leader = self.belief.posterior.leader
        if leader is None or self.likeness is None:
            return False
        return self.likeness.odds(leader.track.position_en_m) < BELIEF.named_odds


class Seeker:
    """Looks for frames with retrieval and, where there are local features, registration."""

    def __init__(self, finder: Finder, verifier: Verifier | None, limits: Limits, usual: tuple[float, float]) -> None:
        """``usual`` are the shares of points that the features want to agree, alone and where a track says so."""
        chosen = limits.min_agreement_alone, limits.min_agreement_tracked
        self._alone, self._tracked = (b if a is None else a for a, b in zip(chosen, usual, strict=True))
        self._finder, self._verifier, self._limits = finder, verifier, limits

    def seek(self, belief: Belief, sight: Sight) -> Sought:
        """Look about the place that is believed, else anywhere.

        A start is looked at first, and then, where it is not borne out, all of the map.
        """
        leader = belief.posterior.leader
        if self._verifier is not None and leader is not None and (belief.tracking or belief.starting):
            found, looks = self._at_track(self._verifier, sight, leader.track)
            if belief.tracking or not isinstance(found, str):
                return Sought(belief, found, looks=looks)
        return self._search(belief, sight, leader.track if leader is not None and leader.is_looked_at else None)

    def _search(self, belief: Belief, sight: Sight, led_to: Track | None) -> Sought:
        """Look anywhere, and about the place that earlier registrations ``led_to``, which the encoder need not name."""
        looks, view = self._finder.looks(sight.grounds, sight.domain), sight.grounds[0].view
        axis_cov_m2 = view.axis_cov_m2(sight.mount.frame_cov(view.uncertainty))
        all_over = self._finder.anywhere(
            sight.local,
            looks,
            belief.posterior,
            t_us=sight.frame.t_us,
            axis_variance_m2=float(np.trace(axis_cov_m2)) / 2,
        )
        belief = belief.retrieved(all_over.evidence, all_over.likeness.best_cosine)
        if self._verifier is None:
            return Sought(belief, "unconfirmed", all_over.likeness, looks)
        around = [] if led_to is None else self._finder.near(sight.local, sight.grounds, led_to, looks)
        found = self._anywhere(self._verifier, sight, all_over, around)
        if isinstance(found, RegisteredView) and not self._is_overwhelming(found):
            place = found.position(sight.local)
            expected = led_to is not None and math.dist(led_to.position_en_m, place) <= all_over.likeness.footprint_m
            if not expected and all_over.likeness.odds(place) < BELIEF.least_odds:
                found = "ambiguous"  # the encoder sees another place
        return Sought(belief, found, all_over.likeness, looks)

    def _anywhere(
        self, verifier: Verifier, sight: Sight, all_over: Found, around: list[Candidate]
    ) -> RegisteredView | NoFixReason:
        """Register at the candidates; at the first alone where the encoder is sure of it and the fit beyond doubt."""
        if all_over.odds >= BELIEF.alone_odds:
            found = verifier.best(sight.keypoints, all_over.candidates[:1], sight.mount, self._alone, alone=True)
            if not isinstance(found, str):
                share = self.outlier_share(found, found.position(sight.local), all_over.likeness)
                if share <= POSTERIOR.strong_outlier_share:
                    return found
        return verifier.best(sight.keypoints, [*around, *all_over.candidates], sight.mount, self._alone, alone=True)

    def _at_track(
        self, verifier: Verifier, sight: Sight, track: Track
    ) -> tuple[RegisteredView | NoFixReason, Sequence[Look]]:
        """Register where a track says, and where its surroundings look like the frame only if that fails."""
        if len(sight.grounds) == 1:  # else its surroundings tell the heading
            here = [self._finder.at(sight.local, sight.grounds[0], track)]
            found = verifier.best(sight.keypoints, here, sight.mount, self._tracked, alone=False)
            if not isinstance(found, str):
                return found, ()
        looks = self._finder.looks(sight.grounds, sight.domain)
        around = self._finder.near(sight.local, sight.grounds, track, looks)
        return verifier.best(sight.keypoints, around, sight.mount, self._tracked, alone=False), looks

    def _is_overwhelming(self, found: RegisteredView) -> bool:
        """Tell whether more of the ground fits than of any fluke: what the encoder says of it decides nothing."""
        agrees = found.agreement >= BELIEF.overwhelming_agreement * self._alone
        return agrees and found.registration.support >= BELIEF.overwhelming_support

    def surely_sees(self, sight: Sight, anywhere: Posterior) -> bool:
        """Tell whether a frame is found beyond doubt by one who knows nothing of where it is."""
        sought = self.seek(Belief(anywhere), sight)
        if isinstance(sought.found, str):
            return False
        share = self.outlier_share(sought.found, sought.found.position(sight.local), sought.likeness)
        return share <= POSTERIOR.strong_outlier_share

    def outlier_share(
        self,
        registered: RegisteredView,
        position_en_m: FloatArray,
        like: Likeness | None,
        tilt_rad: float | None = None,
        *,
        tilt_doubted: bool = False,
    ) -> float:
        """Say how often a registration like this one is a fluke.

        Repeated and mirrored ground has fits that pass every gate, once in some hundred frames. What the encoder sees
        of the frame is another witness: over right fits it names the place first, over flukes it has named others.
        ``tilt_rad`` is how far from what was expected the camera looks; None: as it was found when it was registered.
        With ``tilt_doubted`` frames before found it to look far elsewhere: few points that agree with what is told have
        been chosen by it.
        """
        tilt_rad = registered.tilt_rad if tilt_rad is None else tilt_rad
        stands = like is None or registered.bears_out(tilt_rad)  # None: a track vouches
        supported = registered.registration.support >= self._limits.min_support_alone
        counting = self._alone if like is None else BELIEF.named_agreement * self._alone
        odds = 0.0 if like is None else like.odds(position_en_m)
        if tilt_doubted and like is not None:
            counting = max(counting, REGISTRATION.tilt_agreements[1])
            stands = stands and registered.agreement >= counting
        if not (supported and stands and registered.agreement >= counting):
            named = odds >= BELIEF.named_odds and stands
            return POSTERIOR.agreeing_outlier_share if named else BELIEF.weak_outlier_share
        needed = BELIEF.named_agreement if odds >= BELIEF.sure_odds else BELIEF.sure_agreement
        agrees = registered.agreement >= needed * self._alone
        strong = agrees and odds >= BELIEF.named_odds
        return POSTERIOR.strong_outlier_share if strong else POSTERIOR.counting_outlier_share
