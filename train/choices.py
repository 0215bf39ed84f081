"""The closed sets of words that settings take, in one module without imports: ``--help`` shows them at once."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

PresetName: TypeAlias = Literal["smoke", "edge", "adapt", "paper"]
"""Where all settings of a run start from; :data:`train.spec.PRESETS` has them."""

Host: TypeAlias = Literal["info_nce", "triplet", "hard_triplet", "soft_margin", "multi_similarity", "none"]
"""The loss that DPHR is added to; :mod:`train.losses.objective`."""

Distance: TypeAlias = Literal["euclidean", "cosine"]
"""How far two unit vectors are apart; :func:`train.losses.distances.as_distances`."""

Pooling: TypeAlias = Literal["gem", "avg", "native"]
"""How an encoder pools its backbone's map of features; ``native``: as the backbone does."""

AmpChoice: TypeAlias = Literal["auto", "off", "bf16", "fp16"]
"""Precision of the backbone's passes; ``auto``: half on a GPU; :mod:`train.model.amp`."""

EvaluatedSplit: TypeAlias = Literal["test", "val", "train", "all"]
"""Which places an evaluation asks for; ``test`` is a benchmark's own."""

Protocol: TypeAlias = Literal["official", "sample4geo"]
"""What is in the gallery: all pictures, or none that answers no query."""

PRESET_NAMES: tuple[PresetName, ...] = get_args(PresetName)
HOSTS: tuple[Host, ...] = get_args(Host)
DISTANCES: tuple[Distance, ...] = get_args(Distance)
POOLINGS: tuple[Pooling, ...] = get_args(Pooling)
AMP_CHOICES: tuple[AmpChoice, ...] = get_args(AmpChoice)
EVALUATED_SPLITS: tuple[EvaluatedSplit, ...] = get_args(EvaluatedSplit)
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)
