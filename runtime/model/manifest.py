"""What a bundle's ``manifest.json`` states, read once into dataclasses.

Format 1: ``format``, ``kind`` (``encoder`` or ``matcher``), ``name``, ``input``, ``licence`` and ``files``
({name: {sha256, bytes, precision}}). An encoder also has ``encoder`` (backbone, dim, truncations, side_px),
``training``, ``gates``, ``calibration`` and ``golden`` (``runtime.model.golden``; bundles of before have none).
``files`` may name ``score.json`` (``runtime.model.score_map``), ``matcher.onnx`` with a section ``matcher``
(``export.local``: stride_px, patch_px, min_agreement), and ``encoder.int8.cpu.onnx``, whose ``twin_of`` is the hash of
the INT8 graph that it stands for on a CPU (``export.int8.cpu``).

Whoever changes a manifest writes its ``document`` back with sections replaced, so that keys which this Skyfix does not
know, and the order of all keys, survive.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from runtime.errors import BundleError

JsonObject: TypeAlias = Mapping[str, Any]
"""What a JSON file holds between two braces."""

FORMAT = 1
MANIFEST = "manifest.json"
Precision: TypeAlias = Literal["fp32", "fp16", "int8"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

XFEAT_AGREEMENT = (0.125, 0.10)  # XFeat's on wrong ground reaches 0.093, on look-alikes 0.15
_XFEAT_PATCH_PX = 800


def as_precision(text: str) -> Precision:
    """Return the precision of that name; raises BundleError."""
    for precision in PRECISIONS:
        if precision == text:
            return precision
    raise BundleError(f"precision {text!r} is unknown; expected one of {', '.join(PRECISIONS)}")


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of a bundle as its manifest states it."""

    sha256: str
    size_bytes: int | None = None
    twin_of: str | None = None
    """SHA-256 of the graph that this one stands for on a CPU."""


@dataclass(frozen=True, slots=True)
class EncoderSection:
    """The encoder of a bundle: how large its pictures are and how long its embeddings."""

    side_px: int
    dim: int
    backbone: str | None = None
    pooling: str | None = None


@dataclass(frozen=True, slots=True)
class MatcherSection:
    """The use of a bundle's local features; the defaults are XFeat's."""

    patch_px: int = _XFEAT_PATCH_PX
    """Side of the patch that the features are best at."""
    min_agreement: tuple[float, float] = XFEAT_AGREEMENT
    """Share of a frame's points that must agree with its pose: alone, and where a tight track vouches for it."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest that has been read: what the programs use of it, and the whole document."""

    kind: str
    name: str | None
    files: Mapping[str, FileEntry]
    encoder: EncoderSection | None = None
    matcher: MatcherSection = field(default_factory=MatcherSection)
    calibration_sha256: str | None = None
    """The set that INT8 ranges are to be measured on."""
    document: JsonObject = field(default_factory=dict)
    """All of the JSON, in the order of the file; sections for people are read from here alone."""

    def gate(self, precision: Precision) -> JsonObject | None:
        """Return the record of how a graph was judged when it was made, for people; None where there is none."""
        record: JsonObject | None = _section(self.document, "gates").get(precision)
        return record

    def judged_with(self, precision: Precision) -> str | None:
        """Return the SHA-256 of the calibration set that a graph was made with; None where it is not stated."""
        gate = self.gate(precision)
        sha256 = gate.get("calibration_sha256") if isinstance(gate, Mapping) else None
        return None if sha256 is None else str(sha256)

    def with_files(self, entries: Mapping[str, JsonObject]) -> JsonObject:
        """Return the document with these files added or replaced."""
        return self.with_sections(files={**_section(self.document, "files"), **entries})

    def with_sections(self, **sections: Any) -> JsonObject:
        """Return the document with these sections replaced, or added at its end."""
        return {**self.document, **sections}


def parse_manifest(document: Any, kind: str, folder: Path) -> Manifest:
    """Read the manifest of the bundle ``folder``; raises BundleError where it is of another format or kind."""
    version = document.get("format") if isinstance(document, dict) else None
    if version != FORMAT:
        raise BundleError(
            f"{folder} has bundle format {version}; this Skyfix reads {FORMAT}: update it or export again"
        )
    if document.get("kind") != kind:
        raise BundleError(f"{folder} is a bundle of kind {document.get('kind')!r}; expected {kind!r}")
    lacking = {"files", *(("encoder",) if kind == "encoder" else ())} - document.keys()
    if lacking:
        raise BundleError(f"{folder / MANIFEST} says nothing of {', '.join(sorted(lacking))}; export the bundle again")
    try:
        return _parsed(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleError(f"{folder / MANIFEST} cannot be read ({error!r}); export the bundle again") from None


def _parsed(document: JsonObject) -> Manifest:
    name = document.get("name")
    calibrated = _section(document, "calibration").get("sha256")
    return Manifest(
        kind=str(document["kind"]),
        name=None if name is None else str(name),
        files={str(file): _file(stated) for file, stated in document["files"].items()},
        encoder=_encoder(document["encoder"]) if "encoder" in document else None,
        matcher=_matcher(_section(document, "matcher")),
        calibration_sha256=None if calibrated is None else str(calibrated),
        document=document,
    )


def _section(document: JsonObject, name: str) -> JsonObject:
    section: JsonObject = document.get(name, {})
    return section


def _file(stated: JsonObject) -> FileEntry:
    size, twin_of = stated.get("bytes"), stated.get("twin_of")
    return FileEntry(
        str(stated["sha256"]), None if size is None else int(size), None if twin_of is None else str(twin_of)
    )


def _encoder(stated: JsonObject) -> EncoderSection:
    return EncoderSection(int(stated["side_px"]), int(stated["dim"]), stated.get("backbone"), stated.get("pooling"))


def _matcher(stated: JsonObject) -> MatcherSection:
    alone, tracked = stated.get("min_agreement", XFEAT_AGREEMENT)
    return MatcherSection(int(stated.get("patch_px", _XFEAT_PATCH_PX)), (float(alone), float(tracked)))
