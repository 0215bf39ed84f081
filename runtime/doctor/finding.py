"""What a check before the flight found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check."""

    check: str  # what was looked at, in a word
    ok: bool
    what: str  # what is, and where it is wrong, what was expected and how to mend it

    def line(self) -> str:
        """Write the finding for people, in one line."""
        return f"{'ok ' if self.ok else 'BAD'} {self.check:<9} {self.what}"

    def to_json(self) -> dict[str, Any]:
        """Return plain values, for programs."""
        return asdict(self)
