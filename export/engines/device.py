"""The machine that an engine is built on and for, as far as it tells: None is "it does not say"."""

from __future__ import annotations

import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import EngineError
from runtime.model.cuda import Gpu, call, cuda_runtime

_TEGRA_RELEASE = Path("/etc/nv_tegra_release")


@dataclass(frozen=True, slots=True)
class Device:
    """The machine that builds an engine; another one needs another engine."""

    machine: str
    tegra_release: str | None  # "# R36 (release), REVISION: 4.3, ..": L4T, from which JetPack follows
    power_mode: str | None  # as nvpmodel names it: clocks decide which kernels are fastest
    cuda: int | None  # 12060 is 12.6
    gpu: Gpu | None

    @classmethod
    def here(cls) -> Device:
        """Look at this machine."""
        return cls(platform.machine(), _tegra_release(), _power_mode(), _cuda_version(), Gpu.here())


def _tegra_release() -> str | None:
    return _TEGRA_RELEASE.read_text(encoding="utf-8").splitlines()[0] if _TEGRA_RELEASE.is_file() else None


def _power_mode() -> str | None:
    nvpmodel = shutil.which("nvpmodel")
    if nvpmodel is None:
        return None
    done = subprocess.run([nvpmodel, "-q"], capture_output=True, text=True, check=False)
    names = [line.partition(":")[2].strip() for line in done.stdout.splitlines() if line.startswith("NV Power Mode")]
    return names[0] if names else None


def _cuda_version() -> int | None:
    runtime = cuda_runtime()
    try:
        return None if runtime is None else int(call(runtime, "cudaRuntimeGetVersion"))
    except EngineError:
        return None
