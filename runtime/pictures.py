"""Pictures that commands write: which endings are allowed."""

from __future__ import annotations

from pathlib import Path

from runtime.errors import SettingsError


def check_ending(path: Path) -> None:
    """Raises SettingsError when a picture's path does not say PNG or JPEG."""
    if path.suffix.lower() not in {".png", ".jpg", ".jpeg"}:
        raise SettingsError(f"{path} must end in .png or .jpg")
