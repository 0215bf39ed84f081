"""All settings of a training run in one frozen record, which is saved with it and read back by ``--resume``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, TypeAlias

from runtime.errors import SettingsError
from train.choices import AMP_CHOICES, HOSTS, AmpChoice, Host, PresetName
from train.data.view_spec import ViewSpec
from train.losses.dphr import DphrSpec
from train.model.encoder import EncoderSpec

Settings: TypeAlias = Mapping[str, Any]
"""Values by the path of a setting, as ``lr`` or ``dphr.margin``: what a command line gives."""

_LEAST: Mapping[str, float] = {
    **dict.fromkeys(("workers", "threads", "chunk", "hard_every", "minutes", "weight_decay", "distill"), 0),
    **dict.fromkeys(("eval_every", "save_every", "steps"), 1),
    "batch": 2,
}
_POSITIVE = ("lr", "clip_norm", "head_lr_factor")
_BELOW_ONE = ("label_smoothing", "ema", "warmup", "max_broken")

# A resumed run may be longer, look more often, or run on another machine: no step before depends on these.
MAY_CHANGE = frozenset({"steps", "minutes", "eval_every", "save_every", "workers", "threads", "device"})


@dataclass(frozen=True, slots=True)
class TrainSpec:
    """The settings of a run.

    It ends at ``steps`` or after ``minutes``, whichever comes first; the schedule follows the nearer one.
    """

    # data
    data: tuple[str, ...] = ()  # KIND:PATH[@GSD_M][*WEIGHT]
    only_may_ship: bool = False
    view: ViewSpec = field(default_factory=ViewSpec)
    augment: float = 1.0
    max_broken: float = 0.01  # share of pictures that may be unreadable
    # encoder
    encoder: EncoderSpec = field(default_factory=EncoderSpec)
    quantise: bool = False  # convolutions round as INT8 does: a finish, after training as usual
    train_norms: bool = False  # of the batch: a small one of strange weather moves them far (docs/log.md)
    # loss
    host: Host = "info_nce"
    dphr: DphrSpec | None = field(default_factory=DphrSpec)
    label_smoothing: float = 0.1
    matryoshka: tuple[int, ...] = ()  # shorter embeddings that are trained too
    teacher: str = ""  # a checkpoint whose similarities are learnt
    distill: float = 1.0  # weight of that
    # batches
    batch: int = 64
    hard_every: int = 0  # epochs between tables of similar places; 0: batches by chance
    # schedule
    steps: int = 1000
    minutes: float = 0.0  # 0: no limit
    lr: float = 5e-4
    head_lr_factor: float = 4.0  # the head starts from nothing, the backbone does not
    weight_decay: float = 0.01
    clip_norm: float = 10.0
    warmup: float = 0.05  # of the run
    warm_side_px: int = 0  # train on smaller pictures first; 0: never
    warm_part: float = 0.5  # of the run
    ema: float = 0.0  # decay of the averaged weights, which are then what is scored and saved; 0: none
    eval_every: int = 100
    save_every: int = 50
    seed: int = 0
    # machine
    device: str = "auto"
    amp: AmpChoice = "auto"
    chunk: int = 0  # pictures in one pass; 0: the whole batch at once
    checkpointing: bool = False
    deterministic: bool = False
    workers: int = 2
    threads: int = 0  # 0: as torch likes

    def __post_init__(self) -> None:
        for message, holds in self._checks().items():
            if not holds:
                raise SettingsError(message)

    def _checks(self) -> dict[str, bool]:
        """Return what must hold, by the message where it does not; a NaN fails."""
        dim, warm, shorter = self.encoder.dim, self.warm_side_px, ",".join(map(str, self.matryoshka))
        low_m, high_m = self.view.footprint_m
        checks = {
            f"--footprint {low_m:g} {high_m:g}: expected metres, the smaller first": 0 < low_m <= high_m,
            f"--quilt {self.view.quilt}: expected 0 to 1": 0 <= self.view.quilt <= 1,
            f"--host {self.host}: expected one of {', '.join(HOSTS)}": self.host in HOSTS,
            "--host none leaves nothing to minimise without DPHR": self.host != "none" or self.dphr is not None,
            f"--amp {self.amp}: expected one of {', '.join(AMP_CHOICES)}": self.amp in AMP_CHOICES,
            "--quantise rounds finer than half precision does: give it --amp off": not self.quantise
            or self.amp == "off",
            "--quantise folds the norms, which --train-norms moves; drop one": not (self.quantise and self.train_norms),
            "--quantise is scored by the averaged weights, in float: give it --ema": not self.quantise or self.ema > 0,
            f"--augment {self.augment}: expected 0 to 1": 0 <= self.augment <= 1,
            f"--warm-part {self.warm_part}: expected 0 to 1": 0 <= self.warm_part <= 1,
            f"--warm-side {warm}: expected 0, or 32 or more": warm == 0 or warm >= 32,
            f"--matryoshka {shorter}: expected lengths below --dim {dim}": all(0 < d < dim for d in self.matryoshka),
        }
        for name, least in _LEAST.items():
            value = getattr(self, name)
            checks[f"{flag(name)} {value}: expected {least} or more"] = value >= least
        for name in _POSITIVE:
            value = getattr(self, name)
            checks[f"{flag(name)} {value}: expected a positive number"] = value > 0
        for name in _BELOW_ONE:
            value = getattr(self, name)
            checks[f"{flag(name)} {value}: expected 0 to below 1"] = 0 <= value < 1
        return checks

    def to_json(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> TrainSpec:
        """Read the values that :meth:`to_json` returned; raises SettingsError."""
        try:
            fields = _tuples(values)
            fields["encoder"] = EncoderSpec(**_tuples(fields["encoder"]))
            fields["view"] = ViewSpec(**_tuples(fields["view"]))
            fields["dphr"] = None if fields["dphr"] is None else DphrSpec(**_tuples(fields["dphr"]))
            return cls(**fields)
        except (KeyError, TypeError, AttributeError) as error:
            raise SettingsError(f"the run's spec does not fit this Skyfix: {error}; start the run anew") from None

    def changed(self, settings: Settings) -> TrainSpec:
        """Return the spec with some settings changed; raises SettingsError."""
        parts: dict[str, dict[str, Any]] = defaultdict(dict)
        for path, value in settings.items():
            part, _, name = path.rpartition(".")
            parts[part][name] = value
        top = parts.pop("", {})
        for part, values in parts.items():
            whole = top.get(part, getattr(self, part))
            if whole is None:
                raise SettingsError(f"without {part} there is nothing to set {', '.join(map(flag, values))} of")
            top[part] = replace(whole, **values)
        return replace(self, **top)


def differences(run: TrainSpec, wanted: TrainSpec) -> list[str]:
    """Describe what a resumed run may not change and was asked to, each with both values."""
    before, after = _flat(run.to_json()), _flat(wanted.to_json())
    return [
        f"{path} is {before.get(path)} in the run and {after.get(path)} asked"
        for path in {**before, **after}
        if before.get(path) != after.get(path) and path not in MAY_CHANGE
    ]


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested values by their path."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return flat


def _tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with tuples in place of lists, which are all that JSON knows."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def flag(path: str) -> str:
    """Return the flag of a setting, as ``--clip-norm``, for a message."""
    return f"--{path.rpartition('.')[2].removesuffix('_px').replace('_', '-')}"


PRESETS: Mapping[PresetName, TrainSpec] = {
    # Proves that everything works, in a minute or two on two cores, with data it makes itself.
    "smoke": TrainSpec(
        data=("world:1",),
        encoder=EncoderSpec(side_px=96, dim=64),
        batch=16,
        steps=60,
        lr=1e-4,  # so few steps leave no time to come back from a rough start
        eval_every=20,
        save_every=20,
        dphr=DphrSpec(window=8),
        workers=0,
    ),
    # What ships: small enough for a Jetson, and for a night on a CPU.
    "edge": TrainSpec(steps=6000, warm_side_px=128),
    # From the encoder that ships to one that knows the user's own map, in minutes on a laptop: a small step, by near
    # misses, as a neighbouring tile is what a frame is taken for.
    "adapt": TrainSpec(
        view=ViewSpec(footprint_m=(40.0, 128.0), beside=True),
        batch=24,
        steps=150,
        lr=1e-4,
        head_lr_factor=1.0,
        warmup=0.1,
        ema=0.98,
        eval_every=50,
        dphr=DphrSpec(beta=0.9, window=16),
    ),
    # Deuser et al., "Sample4Geo", ICCV 2023, with DPHR and hard batches on top; wants a GPU. Their one epoch of
    # University-1652 shows each of 37,854 drone pictures once: 296 batches.
    "paper": TrainSpec(
        encoder=EncoderSpec("convnext_base.fb_in22k_ft_in1k_384", dim=1024, side_px=384, pooling="native"),
        batch=128,
        hard_every=10,
        steps=300,
        lr=1e-3,
        head_lr_factor=1.0,
        clip_norm=100.0,
        warmup=0.1,
        dphr=DphrSpec(beta=0.9, window=32),
        workers=8,
    ),
}
