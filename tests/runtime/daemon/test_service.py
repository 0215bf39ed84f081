"""The systemd unit, read by systemd's own checker."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.daemon.service import install
from runtime.errors import SettingsError


def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is missing (Debian: systemd)")
    said = install(tmp_path / "skyfix.toml", [tmp_path / "logs/fixes.jsonl"], tmp_path / "skyfix.service")
    assert "systemctl enable --now skyfix" in said
    done = subprocess.run(
        ["systemd-analyze", "verify", str(tmp_path / "skyfix.service")], capture_output=True, text=True, check=False
    )
    ours = [line for line in done.stderr.splitlines() if "skyfix" in line]
    assert ours == []
    text = (tmp_path / "skyfix.service").read_text()
    assert f"ExecStart={sys.executable} -m runtime.daemon --config {tmp_path}/skyfix.toml" in text
    assert f"ReadWritePaths={tmp_path}/logs\n" in text
    for line in ("Type=notify", "WatchdogSec=15", "DynamicUser=yes", "ProtectSystem=strict", "Restart=always"):
        assert line in text


def test_where_it_may_not_be_laid_down_the_mend_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="run it as root"):
        install(tmp_path / "skyfix.toml", [], tmp_path / "none" / "skyfix.service")
