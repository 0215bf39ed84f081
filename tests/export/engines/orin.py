"""The device that engines are built for in tests."""

from __future__ import annotations

from export.engines.device import Device
from runtime.model.cuda import Gpu

ORIN = Device("aarch64", "# R36 (release), REVISION: 4.3", "MAXN", 12060, Gpu("Orin", "8.7", 8, True))
