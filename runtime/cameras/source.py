"""A camera that is flown with, and what it gives: pictures with the time at which they were exposed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from runtime.types import Picture


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture, before anybody knows what the aircraft knew then."""

    picture: Picture  # (H, W, 3) RGB; empty where it could not be read
    exposed_at_us: int  # on this computer's monotonic clock
    name: str = ""


class Source(Protocol):
    """A camera or a stream. Opened and read in a process of its own (:mod:`runtime.cameras.capture`)."""

    @property
    def name(self) -> str:
        """Say what it is, for people: ``v4l2:/dev/video0``."""

    def open(self) -> None:
        """Open it, or open it anew. Raises OSError where that may mend itself, SettingsError where it never will."""

    def read(self) -> Shot | None:
        """Wait for the next picture; None where none came, and the source is to be opened anew.

        Raises EOFError after the last picture of a source that has an end.
        """

    def close(self) -> None:
        """Close it; may be called twice."""
