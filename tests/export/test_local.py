"""The command that puts local features into a bundle refuses what cannot be, before it loads anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from export.local import main


@pytest.mark.parametrize(("patch_px", "accepted"), [("95", False), ("0", False), ("96", True)])
def test_a_patch_that_shows_too_little_is_refused_with_one_that_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], patch_px: str, accepted: bool
) -> None:
    missing = [str(tmp_path / "local.safetensors"), "--bundle", str(tmp_path / "edge.bundle")]
    assert main([*missing, "--patch-px", patch_px]) == 1
    message = capsys.readouterr().err
    assert message.startswith("export.local: ") and message.count("\n") == 1
    expected = "has no manifest.json" if accepted else f"--patch-px {patch_px} shows too little; expected 96 or more"
    assert expected in message
