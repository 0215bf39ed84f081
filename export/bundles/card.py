"""The model card: what a graph is, what made it and how good it was, in the manifest and inside the graph too.

The commit is in the manifest alone: a map belongs to one graph by its hash, and must not be built again because the
same checkpoint was exported by a newer Skyfix.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from onnx import ModelProto, helper

from runtime.files import sha256_of
from runtime.model.manifest import FORMAT, JsonObject
from train.model.encoder import EncoderSpec

_IN_GRAPH = ("name", "licence", "encoder", "input", "output", "training", "source")
_ROOT = Path(__file__).parents[2]


def encoder_card(spec: EncoderSpec, name: str, *, training: JsonObject, source: JsonObject, licence: str) -> JsonObject:
    """Return the manifest of an encoder bundle, files and gates apart.

    There are no dates in it: the same encoder makes the same bytes.
    """
    return {
        "format": FORMAT,
        "kind": "encoder",
        "name": name,
        "licence": licence,
        "encoder": {**asdict(spec), "truncations": [spec.dim]},
        "input": {
            "name": "image",
            "type": "uint8",
            "shape": ["batch", spec.side_px, spec.side_px, 3],
            "colour": "RGB",
            "preprocessing": "runtime.model.preprocess.encoder_input; normalisation is inside the graph",
        },
        "output": {"name": "embedding", "type": "float32", "shape": ["batch", spec.dim], "norm": 1},
        "training": dict(training),
        "source": dict(source),
    }


def training_of(about: JsonObject) -> JsonObject:
    """Return what a card tells of a run: scores, steps, loss, seed and the names of its data.

    This machine's paths stay out of it.
    """
    spec = about["train_spec"]
    kept = {key: spec[key] for key in ("host", "only_may_ship", "seed") if key in spec}
    return {"data": data_names(spec.get("data", ())), **kept, **about["summary"]}


def data_names(data: Iterable[str]) -> list[str]:
    """Return ``kind:name`` for each ``kind:/path/to/name`` of a run's data."""
    return [f"{kind}:{Path(rest).name}" for kind, _, rest in (text.partition(":") for text in data)]


def source_of(checkpoint: Path) -> JsonObject:
    """Return which weights, code and libraries a bundle was made from; what is not known is left out."""
    source = {"checkpoint_sha256": sha256_of(checkpoint), "commit": _commit()}
    source.update({package: _version(package) for package in ("torch", "timm")})
    return {key: value for key, value in source.items() if value}


def write_card(model: ModelProto, card: JsonObject) -> None:
    """Enter the card into the graph's ``metadata_props``, for a file that has lost its folder."""
    facts = {key: card[key] for key in _IN_GRAPH}
    facts["source"] = {key: value for key, value in card["source"].items() if key != "commit"}
    model.producer_name = "skyfix"
    model.doc_string = "Embeds a north-up picture of ground for retrieval: nearest by cosine is nearest in place."
    helper.set_model_props(model, {k: v if isinstance(v, str) else json.dumps(v) for k, v in facts.items()})


def _commit() -> str | None:
    """Return the commit of the source tree that this runs from; None for an installed package."""
    git = shutil.which("git")
    if git is None or not (_ROOT / ".git").exists():
        return None
    done = subprocess.run([git, "rev-parse", "HEAD"], capture_output=True, text=True, check=False, cwd=_ROOT)
    return done.stdout.strip() or None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
