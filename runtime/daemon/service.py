"""The daemon as a service: a systemd unit, written for one configuration.

Source: systemd.service(5), systemd.exec(5), sd_notify(3).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from runtime.errors import SettingsError
from runtime.files import write_text_whole

UNIT = Path("/etc/systemd/system/skyfix.service")
_OWN = (Path("/var/lib/skyfix"), Path("/run/skyfix"))  # StateDirectory, RuntimeDirectory

_TEMPLATE = """\
[Unit]
Description=Skyfix: position fixes from camera frames
After=network.target nvargus-daemon.service
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart={python} -m runtime.daemon --config {config}
ExecReload=/bin/kill -HUP $MAINPID
WorkingDirectory={root}
Restart=always
RestartSec=0.5
# READY comes after the first verdict: models are loaded, and a camera may need a while.
TimeoutStartSec=120
TimeoutStopSec=5
WatchdogSec=15
# An unprivileged user of its own that may read cameras and serial ports, on a system that it cannot change.
DynamicUser=yes
SupplementaryGroups=video dialout
StateDirectory=skyfix
RuntimeDirectory=skyfix
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
NoNewPrivileges=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryMax={memory_max}
OOMPolicy=stop
Nice=-5
{writes}
[Install]
WantedBy=multi-user.target
"""


def unit_text(config: Path, *, python: Path, root: Path, writes_to: Sequence[Path], memory_max: str = "3G") -> str:
    """Write the unit; the only folders that the daemon may write to, beside its state, are those of ``writes_to``."""
    folders = sorted({str(path.resolve().parent) for path in writes_to})
    return _TEMPLATE.format(
        python=python,
        config=config.resolve(),
        root=root,
        memory_max=memory_max,
        writes="".join(f"ReadWritePaths=-{folder}\n" for folder in folders),
    )


def install(config: Path, writes_to: Sequence[Path], unit: Path = UNIT) -> str:
    """Lay the unit down; return what to type next. Raises SettingsError where that is not allowed here."""
    text = unit_text(config, python=Path(sys.executable), root=Path(__file__).resolve().parents[2], writes_to=writes_to)
    if not os.access(unit.parent, os.W_OK):
        raise SettingsError(
            f"{unit.parent} cannot be written: run it as root (sudo {sys.executable} -m runtime.daemon --install "
            f"--config {config})"
        )
    write_text_whole(unit, text)
    name = unit.stem
    others = sorted({str(path.resolve().parent) for path in writes_to} - {str(path) for path in _OWN})
    note = (
        f"the service's user is made at each start: {', '.join(others)} must be writable by all; {_OWN[0]} is its own\n"
    )
    return (
        f"wrote {unit}\n{note if others else ''}next: systemctl daemon-reload && systemctl enable --now {name}\n"
        f"then: systemctl status {name}; journalctl -u {name} -f"
    )
