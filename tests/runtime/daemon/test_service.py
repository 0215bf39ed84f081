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
    assert f"ReadWritePaths=-{tmp_path}/logs\n" in text
    assert f"{tmp_path}/logs must be writable by all; /var/lib/skyfix is its own" in said
    for line in ("Type=notify", "WatchdogSec=15", "DynamicUser=yes", "ProtectSystem=strict", "Restart=always"):
        assert line in text


def test_paths_of_a_configuration_that_is_named_from_where_one_stands_are_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    install(Path("skyfix.toml"), [Path("fixes"), Path("/var/lib/skyfix/fixes.jsonl")], tmp_path / "skyfix.service")
    text = (tmp_path / "skyfix.service").read_text()
    assert f"--config {tmp_path}/skyfix.toml\n" in text
    written = {line for line in text.splitlines() if line.startswith("ReadWritePaths")}
    assert written == {"ReadWritePaths=-/var/lib/skyfix", f"ReadWritePaths=-{tmp_path}"}


def test_where_it_may_not_be_laid_down_the_mend_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="run it as root"):
        install(tmp_path / "skyfix.toml", [], tmp_path / "none" / "skyfix.service")
