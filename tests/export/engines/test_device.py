"""The machine as far as it tells, on a machine whose programs answer what they are told to."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import pytest

from export.engines.device import Device
from runtime.model.cuda import Gpu
from tests.runtime.model.machine import Machine
from tests.runtime.model.nvidia import install

NVPMODEL = "#!/bin/sh\necho 'NVPM WARN: fan mode is not set'\necho 'NV Power Mode: MAXN_SUPER'\necho 2\n"


def program(folder: Path, text: str) -> None:
    folder.mkdir(exist_ok=True)
    path = folder / "nvpmodel"
    path.write_text(text)
    path.chmod(0o755)


def test_gpu_cuda_and_power_mode_are_those_that_the_machine_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(monkeypatch, Machine(name="Orin", multiprocessors=8))
    program(tmp_path / "bin", NVPMODEL)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    device = Device.here()
    assert (device.gpu, device.cuda) == (Gpu("Orin", "8.7", 8, True), 12060)
    assert device.power_mode == "MAXN_SUPER"
    assert device.machine == platform.machine()


def test_a_program_that_names_no_mode_tells_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install(monkeypatch, Machine())
    program(tmp_path / "bin", "#!/bin/sh\necho 'permission denied' >&2\nexit 1\n")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    assert Device.here().power_mode is None


def test_a_desktop_without_cuda_is_told_by_its_processor_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("cuda.bindings.runtime", "cuda.cudart"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setenv("PATH", str(tmp_path))
    device = Device.here()
    assert (device.gpu, device.cuda, device.power_mode) == (None, None, None)
    assert device.machine


def test_cuda_python_without_a_driver_has_a_version_and_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine()
    machine.has_gpu = False
    install(monkeypatch, machine)
    assert Device.here().gpu is None
