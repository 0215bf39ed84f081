from __future__ import annotations

from pathlib import Path

import pytest

from export.matcher import main
from runtime.model.bundle import Bundle


def test_a_sound_matcher_is_kept_and_an_altered_one_is_told_from_it(
    xfeat_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (xfeat_bundle / "matcher.onnx").stat().st_mtime_ns
    assert main(["--out", str(xfeat_bundle)]) == 0
    assert "is there and sound" in capsys.readouterr().out
    assert (xfeat_bundle / "matcher.onnx").stat().st_mtime_ns == before
    assert Bundle.open(xfeat_bundle, "matcher").manifest.document["licence"] == "Apache-2.0"
    assert "Apache License" in (xfeat_bundle / "LICENSE").read_text()
