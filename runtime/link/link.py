"""What is sent, and what a link is: the seam between the daemon and whoever listens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from runtime.fix import Verdict

Severity: TypeAlias = Literal["critical", "warning", "notice", "info"]


SHARED = "telemetry"
"""Instead of an address: the connection by which the autopilot is heard. A serial port has one owner."""


@dataclass(frozen=True, slots=True)
class Velocity:
    """How fast the drone flies over ground, as the belief has it."""

    east_mps: float
    north_mps: float
    sigma_mps: float  # the larger of the two


@dataclass(frozen=True, slots=True)
class Said:
    """A verdict on its way: of a frame, or of a moment between two frames, where it was carried by motion alone."""

    verdict: Verdict
    exposed_at_us: int
    """On this computer's monotonic clock: when the frame was exposed, or the moment itself."""
    is_carried: bool = False
    """Of a moment and of no frame."""
    velocity: Velocity | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """A line for the pilot."""

    severity: Severity
    text: str


class Link(Protocol):
    """Somebody who is told; each lives in a thread of its own (:mod:`runtime.link.fanout`).

    ``send``, ``notify`` and ``tick`` may raise OSError: the link is then closed, and opened again after a while.
    """

    @property
    def name(self) -> str:
        """Say what it is, for people: ``mavlink udpout:127.0.0.1:14551``."""

    @property
    def wants_carried(self) -> bool:
        """Whether moments between frames are sent, too: who expects ten positions a second."""

    def open(self) -> None:
        """Open it, or open it anew. Raises OSError where that may mend itself, SettingsError where it never will."""

    def send(self, said: Said) -> None:
        """Send a verdict; what is no fix is left out or flagged, as the wire has it."""

    def notify(self, notice: Notice) -> None:
        """Tell the pilot, where the wire has words."""

    def tick(self) -> None:
        """Do what is due: a heartbeat, answers to what came in. Called some ten times a second."""

    def close(self) -> None:
        """Close it; may be called twice."""
