"""Every number that decides what is believed of positions and motion, and what is said: one record a module.

Each has its unit and what chose it, as in :mod:`runtime.locate.limits`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrackLimits:
    """The Kalman filter between looks at the map."""

    acceleration_psd_m2ps3: float = 36.0
    """A small drone turns at some 3 m/s^2 for some 4 s. log: Dead reckoning without velocity."""
    first_speed_sigma_mps: float = 12.0
    """Of a drone whose speed nothing has shown yet. Convention."""


@dataclass(frozen=True, slots=True)
class MotionLimits:
    """What told velocities are worth. log: One belief."""

    gate_99: float = 9.21
    """Chi-square with two degrees of freedom, 99%."""
    bridge_psd_m2ps3: float = 9.0
    """Of accelerations between two told velocities: 2.4 m in 2 s; a steady turn at 3 m/s^2 bends the way by half."""
    velocity_sigma_mps: float = 1.0
    """Of a velocity that is right, wind and yaw errors included. Convention."""
    believed_error: float = 0.1
    """Of the way: a velocity that is so far off is still right. Convention."""
    error_sigma: float = 0.7
    """Of the way that is told, before any registration has borne it out: it may be zero, negated, in knots."""
    offset_mps: float = 10.0
    """The speed, times ``error_sigma``, of a drone that says that it stands still."""
    least_error: float = 0.03
    """Of the way, and ``velocity_sigma_mps`` besides: a velocity is never better borne out. Convention."""
    error_drift: float = 0.02
    """A check: one sigma by which the error changes."""
    contradictions: int = 2
    """In a row: the velocity is not heard any more."""
    borne_out: int = 4
    """Two checks over ways that tell, or four that nothing contradicts: until then it may be anything."""
    heard_again: int = 6
    """The same of a velocity that was not heard any more."""
    telling_sigmas: float = 3.0
    """Shorter ways, against their uncertainty, bear nothing out."""


@dataclass(frozen=True, slots=True)
class PosteriorLimits:
    """The distribution over the map. log: One belief."""

    margin_m: float = 150.0
    """Around the map: an oblique view shows ground that the drone is not over."""
    leak: float = 1e-3
    """A frame: whatever is believed may be wrong, and the drone anywhere. Convention."""
    gate_99: float = 9.21
    """Chi-square with two degrees of freedom, 99%."""
    telling_density: float = 5.0
    """How much more probable than anywhere on the map a registration must be for a placement to be agreed with."""
    strong_outlier_share: float = 0.002
    """Of registrations that retrieval bears out: one that is a fluke so rarely may be said alone."""
    counting_outlier_share: float = 0.02
    """Of registrations that pass every gate: they count as agreeing, and silence what they contradict."""
    agreeing_outlier_share: float = 0.05
    """Of weak ones where the encoder names the place: they agree with what others began, and begin nothing. Mirrored
    streets have some in a row. log: What no match says."""
    unmatched_frames: int = 3
    """In a row, that saw ground and matched nothing: an anchor is retired; and by no more than it rests on."""
    placements: int = 48
    """The most that are followed."""
    min_probability: float = 1e-6
    max_sigma_m: float = 300.0
    """A placement wider than this is no place."""
    mode_radius_m: float = 60.0
    """About the likeliest place: one place. log: A grid over the whole map."""
    same_place_distance2: float = 4.0
    """Squared Mahalanobis distance, by the narrower of two placements."""
    same_width: float = 4.0
    """Of the traces of two covariances."""
    negligible_share: float = 1e-3
    """Of retrieval's evidence: less does not move a track."""
    min_outlier_share: float = 0.2
    """Frames over the same ground are wrong together, which no fit to single ones sees. log: A grid over the map."""
    tile_share: float = 0.15
    """Of a footprint: one sigma of a tile's place."""


@dataclass(frozen=True, slots=True)
class BeliefLimits:
    """The rules by which something is said. log: One belief."""

    start_sigmas: float = 2.0
    """The radius of a start. Convention."""
    wrong_start: float = 0.05
    """How probable it is that a start which is vouched for is wrong all the same. Convention."""
    min_probability: float = 0.99
    """Of the leader, before anything is said of it."""
    agreeing_sigmas: float = 3.72
    """Of each of two fixes in a row, beside what a drone flies meanwhile: their protection levels."""
    recognised_frames: int = 4
    """As many are heard before a map is recognised. log: A grid over the whole map."""
    looked_at_sigma_m: float = 100.0
    """A place that registrations have led to is looked at while it is no wider. log: What no match says."""
    vouching_sigma_m: float = 20.0
    """A track wider than this cannot vouch for a weak measurement."""
    recognised_cosine: float = 0.62
    """Mean of the best of these frames; over wrong maps it reaches 0.58. log: A grid over the whole map."""
    max_speed_mps: float = 30.0
    """What a drone flies."""
    retrieval_quality: int = 50
    """Percent, of a fix that rests on retrieval and is certain of its place. Convention."""
    hurried: int = 2
    """Registrations that no drone can have come to in the time: the clock is doubted."""
    sure_agreement: float = 1.5
    """Of the share of points that must agree alone: so many are sure."""
    named_agreement: float = 1.25
    """The same where the encoder is sure of the place; where no track vouches, fewer count for nothing."""
    named_odds: float = 1.0
    """Of the place over any other, by the encoder: no other is likelier, and so a weak registration there agrees.
    log: What no match says."""
    sure_odds: float = 4.0
    """Of the place over any other, by the encoder: so likely is sure. log: One belief."""
    alone_odds: float = 2.0
    """The same: the place is registered before any other is looked at. Ground that repeats itself is as likely twice.
    log: Lost over much ground."""
    least_odds: float = 0.2
    """Less, and the encoder sees another place: mirrored and repeated streets. log: One belief."""
    overwhelming_support: int = 45
    """Cells; flukes against which the encoder spoke had 29 at most. log: Fixes that the posterior had lost."""
    overwhelming_agreement: float = 2.2
    """Of the share of points that must agree alone: 39% of our own features; those flukes had 36% at most."""
    weak_outlier_share: float = 0.7
    """Of registrations that do not pass every gate."""
    frame_reach_m: float = 20_000.0
    """From the local frame's origin: further away it is moved."""
    sigma_of_ce90: float = 1.0 / 2.146
    """A circle that holds 90% of a round Gaussian has a radius of 2.146 sigma."""


@dataclass(frozen=True, slots=True)
class SuspicionLimits:
    """When it is asked what telemetry would have to say. Convention."""

    unmatched: int = 3
    """Frames in a row that fit nothing, before it is asked."""
    every: int = 3
    """Of such frames: a look costs as much as the frame itself."""
    fits: int = 2
    """In a row, before it is said."""


TRACK, MOTION, POSTERIOR, BELIEF = TrackLimits(), MotionLimits(), PosteriorLimits(), BeliefLimits()
SUSPICION = SuspicionLimits()
