"""What a check before the flight found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from runtime.errors import SkyfixError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check."""

    check: str  # what was looked at, in a word
    ok: bool | None  # None: not checked, for what it needs is wrong itself
    what: str  # what is, and where it is wrong, what was expected and how to mend it

    def line(self) -> str:
        """Write the finding for people, in one line."""
        mark = "-" if self.ok is None else "ok" if self.ok else "BAD"
        return f"{mark:<3} {self.check:<9} {self.what}"

    def to_json(self) -> dict[str, Any]:
        """Return plain values, for programs."""
        return asdict(self)


def look(check: str, opened: Callable[[], tuple[T, str]]) -> tuple[T | None, Finding]:
    """Open a thing; return it with what is to be said of it, or None with what is wrong."""
    try:
        thing, what = opened()
    except SkyfixError as error:
        return None, Finding(check, False, " ".join(str(error).split()))
    except OSError as error:
        return None, Finding(check, False, f"{error.filename or 'a file'}: {error.strerror or error}")
    return thing, Finding(check, True, what)


def not_checked(check: str, needs: str) -> Finding:
    """Return the finding of a check that cannot be made before another thing is mended."""
    return Finding(check, None, f"not checked: it needs the {needs}")
