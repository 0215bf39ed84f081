"""The JSON beside an engine: what it was built from and for, so that another device or graph is noticed.

Format 2: ``format``, ``engine_sha256``, ``onnx_sha256``, ``precision``, ``batch``, ``input`` (the manifest's, with its
preprocessing), ``tensorrt``, ``gpu`` (name, compute_capability, multiprocessors, integrated): these must hold where it
flies. For people: ``device`` (machine, tegra_release, power_mode, cuda), ``gate``, ``calibration_sha256``,
``latency_ms`` (p50, p99, calls).
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from runtime.errors import EngineError
from runtime.files import sha256_of, write_text_whole
from runtime.model.bundle import ENCODER_FILES, Bundle
from runtime.model.cuda import Gpu
from runtime.model.manifest import JsonObject, Precision

FORMAT = 2
ENGINES = "engines"


def engine_path(bundle: Bundle, precision: Precision, batch: int) -> Path:
    """Return where the engine of a graph for a fixed batch lies."""
    return bundle.path / ENGINES / f"encoder.{precision}.b{batch}.engine"


def sidecar_path(engine: Path) -> Path:
    """Return where the sidecar of an engine lies."""
    return engine.with_name(f"{engine.name}.json")


def batches_at_hand(bundle: Bundle, precision: Precision) -> list[int]:
    """Return the batches of the engines that lie in the bundle, fitting or not; smallest first."""
    engines = (bundle.path / ENGINES).glob(f"encoder.{precision}.b*.engine")
    counts = (path.name.split(".")[2].removeprefix("b") for path in engines)
    return sorted(int(count) for count in counts if count.isdecimal())


def rebuild_command(bundle: Bundle, precision: Precision, batch: int) -> str:
    """Return the command that makes the engine anew."""
    return f"python -m export.trt --{precision}{f' --batch {batch}' if batch != 1 else ''} {bundle.path}"


def must_hold(
    bundle: Bundle, precision: Precision, batch: int, *, engine_sha256: str, tensorrt: str, gpu: Gpu
) -> JsonObject:
    """Return the part of a sidecar that is checked before an engine flies."""
    return {
        "format": FORMAT,
        "engine_sha256": engine_sha256,
        "onnx_sha256": bundle.sha256(ENCODER_FILES[precision]),
        "precision": precision,
        "batch": batch,
        "input": bundle.manifest.document.get("input"),
        "tensorrt": tensorrt,
        "gpu": asdict(gpu),
    }


def read_sidecar(bundle: Bundle, precision: Precision, batch: int, *, tensorrt: str, gpu: Gpu) -> JsonObject:
    """Read the sidecar of an engine that belongs here.

    Raises EngineError: what differs, and the command that rebuilds.
    """
    engine = engine_path(bundle, precision, batch)
    rebuild = f"build it again: {rebuild_command(bundle, precision, batch)}"
    if not engine.is_file():
        raise EngineError(f"{engine} is missing; {rebuild}")
    try:
        stated = json.loads(sidecar_path(engine).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise EngineError(f"{engine} has no sidecar ({sidecar_path(engine).name}); {rebuild}") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise EngineError(f"{sidecar_path(engine)} is not JSON ({error}); {rebuild}") from None
    if not isinstance(stated, dict):
        raise EngineError(f"{sidecar_path(engine)} is no sidecar; {rebuild}")
    needed = must_hold(bundle, precision, batch, engine_sha256=sha256_of(engine), tensorrt=tensorrt, gpu=gpu)
    for key, value in needed.items():
        if stated.get(key) != value:
            raise EngineError(f"{engine} does not belong here: {_differs(key, stated.get(key), value)}; {rebuild}")
    return stated


def _differs(key: str, stated: Any, needed: Any) -> str:
    """Say what differs; hashes by their first digits, nested values only where they differ."""
    if isinstance(stated, dict) and isinstance(needed, dict):
        keys = [k for k in needed if stated.get(k) != needed[k]] or sorted(stated.keys() - needed.keys())
        return "; ".join(_differs(f"{key} {k}", stated.get(k), needed.get(k)) for k in keys)
    if key.endswith("sha256"):
        stated, needed = str(stated)[:12], str(needed)[:12]
    return f"its {key} is {stated}, here it is {needed}"


def write_sidecar(engine: Path, sidecar: JsonObject) -> None:
    """Write an engine's sidecar, whole or not at all."""
    write_text_whole(sidecar_path(engine), json.dumps(sidecar, indent=2) + "\n")
