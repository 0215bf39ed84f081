"""Every number that decides what is believed, how surely, and what is said: one record a stage, in a frame's order.

Each has its unit and what chose it. ``log`` is ``docs/log.md``, where the experiment stands under the heading named;
``Convention`` is a choice that nothing was measured for; of a number with neither no experiment is kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FrameLimits:
    """The limits of frames that can be used at all."""

    max_pitch_deg: float = -15.0
    """Nearer to the horizon there is too little ground. Convention."""
    min_contrast: float = 4.0
    """Standard deviation in grey levels; below it is night, fog or a covered lens. Convention."""
    max_side_heights: float = 3.0
    """Longest side of the ground that is looked at, in altitudes: further away it is too coarse. Convention."""
    contrast_every_px: int = 8
    """Between the pixels whose contrast is measured. Convention."""
    sample_every_px: int = 8
    """Between the pixels by which a picture is known again: a camera never takes the same one twice."""
    sample_px: int = 2
    """A side of the squares whose mean grey tells whether a picture moved."""
    still_share: float = 0.5
    """Of what a shift by such a square would change: less is no motion."""
    told_motion_px: float = 1.0
    """By which a picture must have moved, by telemetry, to be one that hangs if it did not."""
    frozen_rows: int = 5
    frozen_telemetry_s: float = 4.0
    """Telemetry that says the same for so many rows and so long, to the last digit, is no measurement: ``chia`` does
    for three rows of two seconds."""
    backwards_until_clock_set: int = 5
    """Frames in order, all older than the newest one: the clock was set anew. Convention."""


@dataclass(frozen=True, slots=True)
class Supposition:
    """One account of how a told attitude is wrong. log: Three accounts of a mount; Whose tilt is it?"""

    weight: float
    """Before a flight has shown anything."""
    tilt_sigma_deg: float
    """Of the constant that roll and pitch are wrong by."""
    jitter_deg: float
    """Of what each frame adds to it."""
    yaw_sigma_deg: float
    """Of the constant that the heading is wrong by: a compass that is far off speaks against the rest, too. A heading
    taken from the track crabs in wind."""
    slope_deg: float
    """One sigma of the ground's over what is seen, where no heights are known: a tilt that matches show in one frame
    and not in the next is the ground's where a gimbal holds the camera, and the camera's where none does."""


ACCOUNTS = (
    Supposition(0.45, 0.5, 0.5, 5.0, 3.0),  # told right, as a gimbal does
    # Wrong by a constant: ``fengyuan``'s first session looks 9 degrees further forward than it says.
    Supposition(0.45, 7.0, 1.0, 10.0, 3.0),
    Supposition(0.1, 6.0, 10.0, 10.0, 1.2),  # another in each frame: ``caliterra``'s camera hangs as the wind has it
)


@dataclass(frozen=True, slots=True)
class MountPrior:
    """How wrong attitude, height and lens may be before a flight has shown it, and how fast that changes.

    Of the vectors see :mod:`runtime.locate.offset`.
    """

    first: tuple[float, ...] = (0.10, 1e-3, 1e-3, 1e-3, 0.07, math.radians(1.0), math.radians(1.0))
    """One sigma, the same in every frame: of altitude (nominal telemetry of two real flights), of a lens (video modes
    crop: three drones' were 7 to 10% longer than told), and of a lens that is no pinhole. log: Three accounts."""
    jitter: tuple[float, ...] = (0.03, 1e-3, 1e-3, 1e-3, 0.02, 1e-3, 1e-3)
    """One sigma of each frame's own, beside the account's."""
    drift: tuple[float, ...] = (0.005, 0.001, 0.001, 0.002, 0.0005, 1e-4, 1e-4)
    """One sigma a lesson."""
    unknown_roll_sigma_deg: float = 4.0
    unknown_roll_jitter_deg: float = 1.5
    unknown_roll_slope_deg: float = 1.2
    """No gimbal holds the camera: the ground slopes less by every account. log: Whose tilt is it?"""
    yaw_jitter_deg: float = 3.0
    headings_apart_deg: float = 30.0
    """Between those tried when the heading is unknown. log: A heading that is not told."""
    relief_m: float = 3.0
    """By which points that disagree stand off the ground at the edge of what is seen: one sigma of a frame's bend."""
    any_tilt_deg: float = 1.5
    no_bend_deg: float = 0.1
    """One sigma, while it is asked which points agree. Convention."""
    lesson_side_share: float = 0.3
    """Of a view's side, between the grounds of two lessons: nearer ones see the same slopes and roofs."""
    lesson_turn_deg: float = 45.0
    """Between their headings: the same ground slopes another way. log: Whose tilt is it?"""
    evidence_share: float = 0.5
    """Of a frame's evidence for an account: frames of one flight bend alike."""
    tail_power: float = 0.15
    """Of the accounts' weights, for the covariance: an account that is improbable is not so at one in a thousand."""
    forgotten: float = 0.01
    """A lesson: of what the accounts have come to weigh."""
    may_be_right: float = 0.05
    """Weight of an account that is asked how far from what was expected the camera looks. Convention."""
    refuted: float = 0.02
    """An account that weighs less begins anew. Convention."""
    gate: float = 11.8
    """Chi-square with two degrees of freedom, 99.7%: scale and turn that a mount can have."""
    telling_focal_percent: float = 2.0
    """One sigma of a focal length that is worth writing down. Convention."""
    doubted_yaw_deg: float = 12.0
    doubted_tilt_deg: float = 8.0
    doubted_log_height: float = 0.15
    doubted_log_focal: float = 0.12
    """Further off than this, surely, and it is said that the telemetry is wrong. Convention."""
    missing_tilt: float = 0.5
    """Of a tilt that was found: one sigma of what is missing of it, at the first of ``tilt_agreements``, and nothing at
    a good one. log: One belief."""
    similarity_scale_sigma: float = 0.05
    similarity_turn_sigma_deg: float = 2.0
    """What relief, roofs and tilt do to a similarity besides. Rendered flights."""


@dataclass(frozen=True, slots=True)
class RetrievalLimits:
    """The choice of tiles that are looked at."""

    well_seen: float = 0.8
    barely_seen: float = 0.5
    """Shares of a footprint that a frame sees: the largest level seen well, else the one seen best. Convention."""
    candidates_lost: int = 6
    candidates_tracking: int = 3
    """Twelve brought nothing. log: What was tried on registration and dropped."""
    places: int = 24
    """That one frame may look like; tiles nearer than half a footprint are one."""
    reach_sigmas: float = 3.0
    """Of a track: how far about it tiles are compared."""
    unfitted_temperature: float = 0.03
    """Of cosines, for an encoder that ``calib.score`` has not seen. Convention."""
    shortlist_rows: int = 256
    """Of a heading: neighbours of the best fill it first."""


@dataclass(frozen=True, slots=True)
class DomainLimits:
    """What all frames of a flight have in common. log: What all frames of a flight have in common."""

    least_frames: int = 6
    """Fewer do not say whether a flight looks like its map. Convention."""
    remembered_frames: int = 30
    """So many newest ones say it. Convention."""
    like_cosine: float = 0.65
    """Their mean best cosine: years and seasons apart it is lower."""
    one_place: float = 0.85
    """Length of the mean of their embeddings: over one place (simulated) 0.94, over akagi's ground 0.75."""
    shrinking: int = 16
    """Frames that the mean is weighed against, being that of one place while there are few."""
    same_ground_cosine: float = 0.95
    """A frame more like the newest one taken in shows its ground again. Convention."""


@dataclass(frozen=True, slots=True)
class FeatureLimits:
    """Keypoints of a picture."""

    min_probability: float = 0.05
    """XFeat's own (Potje et al., 2024)."""
    edge_px: int = 4
    """Corners nearer to what was not seen are the mask's, not the ground's."""
    points_a_frame: int = 1536
    points_a_map_patch: int = 3900
    """More than a frame's, which may lie anywhere among them."""
    min_patch_share: float = 0.48
    """Of a patch's pixels: a low frame over a coarse map has less. log: Coarse maps and low flights."""
    finest_rung: int = -2
    """Of resolutions sqrt(2) apart: half a pixel of the imagery; finer only blurs. log: as above."""


@dataclass(frozen=True, slots=True)
class RegistrationLimits:
    """From matches to a similarity, and how far it can be trusted. log: What tells a right registration."""

    min_matches: int = 6
    min_scale: float = 0.7
    max_scale: float = 1.4
    """Altitude above ground and focal length together."""
    max_turn_deg: float = 30.0
    """Beyond what the heading says; encoder and local features bear some 20 degrees."""
    ransac_rounds: int = 5000
    ransac_confidence: float = 0.999
    support_cells: int = 16
    """A side of the grid over the patch whose cells with an inlier are the support."""
    tolerance_px: float = 3.0
    tolerance_share: float = 0.02
    """Of the patch's side, whichever is more: a nominal attitude a few degrees off bends the ground so much."""
    rival_apart_share: float = 0.05
    """Of the patch's side: a fit nearer than this is to the same place."""
    min_cosine: float = 0.3
    """A match below it tells nothing."""
    agreeing_share: float = 0.012
    """Of the patch's side: how near a like must lie to agree with a pose."""
    like_reaches: float = 4.0
    """How far from a pose's place a like is looked for, in how near it must lie to agree. Convention."""
    strips: int = 16
    """That points are sorted into, to compare those that are near each other. Convention."""
    min_telling_points: int = 100
    """Fewer points with any like near by say nothing of a pose."""
    own_share: float = 0.05
    """Of the patch's side: a place nearer than this is the point's own."""
    double_every: int = 2
    """Points: half of them tell a pattern. log: What was tried on registration and dropped, repeated ground."""
    chance_agreement: float = 1 / 16
    """The agreement of a wrong pose: ``like_reaches`` to the power -2, the ratio of two areas, whatever the texture."""
    good_agreement: float = 0.5
    """The agreement where ground is as the map shows it. log: Map and frame years apart."""
    other_place_share: float = 0.25
    """Of a view's side: fits of two tiles further apart than this are of two places. Convention."""
    tilt_agreements: tuple[float, float, float] = (0.25, 0.35, 0.4)
    max_tilts_deg: tuple[float, float] = (6.0, 12.0)
    """From what is told, at the first two of these agreements; at the third any tilt is sure. log: One belief."""
    tilt_doubted: int = 3
    """Registrations in a row that bear the attitude out, after one that did not. log: Three accounts of a mount."""
    second_looks: int = 4
    second_look_share: float = 2.0
    """Of the prior's sigma: the first look has shown where the attitude lies. log: One belief."""
    borne_out_deg: float = 6.0
    """Between the first look and the last: the first was right."""
    settled_deg: float = 3.0
    """Between two looks: the attitude has settled. log: One belief."""
    fits_verified: int = 3
    """Of the best supported fits, how many are looked at closely."""


@dataclass(frozen=True, slots=True)
class PoseLimits:
    """From matches to a pose."""

    rounds: int = 12
    settled_m: float = 0.1
    """The last step must be shorter."""
    cauchy: float = 2.385
    """95% efficient on Gaussian residuals (Huber and Ronchetti, Robust Statistics, table 4.1)."""
    converged_m: float = 0.01
    """A shorter step ends it."""
    effective_points: int = 60
    """As many points at most do many matches weigh against the prior, while it is asked which of them agree."""
    independent_points: int = 15
    """The same for position, covariance and the mount: roofs and crowns stand off the ground together.
    log: How much do many points weigh?"""
    thinned_points: int = 256
    """Of those that agree: more cost time and say nothing."""
    pixel_floor: float = 1.5
    """Pixels of the map: what its keypoints are good to."""
    ground_sigma_m: float = 1.0
    """Ground is not flat. Convention."""
    full_agreement: float = 0.6
    """Share of the points; more says nothing more of a fix's quality."""


@dataclass(frozen=True, slots=True)
class FlowLimits:
    """Motion seen between two frames. log: Map and frame years apart."""

    min_support: int = 10
    """Cells, as of a registration."""
    min_share: float = 0.12
    """Of the points on ground that both frames see; patches of unlike ground reach 0.06."""
    max_rival: float = 0.6
    """Of the support: more is a repeated pattern."""
    tilt_sigma: float = 0.1
    """Of the altitude: 4 degrees of jitter in each of two frames, where only a nominal pitch is known."""


FRAME, MOUNT, RETRIEVAL, DOMAIN = FrameLimits(), MountPrior(), RetrievalLimits(), DomainLimits()
FEATURES, REGISTRATION, POSE, FLOW = FeatureLimits(), RegistrationLimits(), PoseLimits(), FlowLimits()


@dataclass(frozen=True, slots=True)
class Limits:
    """Thresholds that a caller may choose; the defaults were chosen on rendered flights (``docs/accuracy.md``)."""

    min_support: int = 10
    """Grid cells that must support a similarity before it is looked at more closely."""
    min_support_alone: int = 18
    """Cells that a fit needs to be believed alone; a street that looks like the next one reaches 17."""
    min_agreement_alone: float | None = None
    """Share of the points that must agree with a lone pose, by chance 0.0625; None: what the features' bundle says."""
    min_agreement_tracked: float | None = None
    """Share of the points that must agree where a tight track says so already; None: what the bundle says."""
    max_rival: float = 0.6
    """Support of the best fit elsewhere over the best's; more is a repeated pattern."""
    max_double: float = 0.25
    """The same of a fit of half the points to other ground near by, of which rich texture has some by chance.
    log: Lost over much ground."""
    min_mode_probability: float = 0.95
    """Of the likeliest place over the whole map, before retrieval's word is said."""
    max_unregistered_sigma_m: float = 25.0
    """Past this a position without a registration is not worth saying."""
