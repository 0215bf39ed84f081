"""One frozen record of all that decides a training run; saved with it, read back by ``--resume``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from runtime.errors import SettingsError
from train.data.rectified import ViewSpec
from train.encoder import EncoderSpec
from train.losses.dphr import DphrSpec
from train.losses.objective import HOSTS


@dataclass(frozen=True)
class TrainSpec:
    """A run. It ends at ``steps`` or after ``minutes``, whichever comes first; the schedule follows the nearer one."""

    data: tuple[str, ...] = ()  # KIND:PATH[@GSD_M]
    only_may_ship: bool = False
    encoder: EncoderSpec = field(default_factory=EncoderSpec)
    view: ViewSpec = field(default_factory=ViewSpec)
    host: str = "info_nce"
    dphr: DphrSpec | None = field(default_factory=DphrSpec)
    label_smoothing: float = 0.1
    augment: float = 1.0
    batch: int = 64
    steps: int = 1000
    minutes: float = 0.0  # 0: no limit
    lr: float = 5e-4
    head_lr_factor: float = 4.0  # the head starts from nothing, the backbone does not
    weight_decay: float = 0.01
    clip_norm: float = 10.0
    warmup: float = 0.05  # of the run
    warm_side_px: int = 0  # train on smaller pictures first; 0: never
    warm_part: float = 0.5  # of the run
    eval_every: int = 100
    save_every: int = 50
    seed: int = 0
    workers: int = 2
    threads: int = 0  # 0: as torch likes
    device: str = "auto"

    def __post_init__(self) -> None:
        checks: dict[str, bool] = {
            f"--host {self.host}: expected one of {', '.join(HOSTS)}": self.host in HOSTS,
            "--host none leaves nothing to minimise without DPHR": self.host != "none" or self.dphr is not None,
            f"--batch {self.batch}: expected 2 or more": self.batch >= 2,
            f"--steps {self.steps}: expected 1 or more": self.steps >= 1,
            f"--minutes {self.minutes}: expected 0 or more": self.minutes >= 0,
            f"--lr {self.lr}: expected a positive number": self.lr > 0,
            f"--label-smoothing {self.label_smoothing}: expected 0 to below 1": 0 <= self.label_smoothing < 1,
            f"--augment {self.augment}: expected 0 to 1": 0 <= self.augment <= 1,
            f"--warm-side {self.warm_side_px}: expected 0, or 32 or more": self.warm_side_px == 0
            or self.warm_side_px >= 32,
            f"--workers {self.workers} and --threads {self.threads}: expected 0 or more": min(
                self.workers, self.threads
            )
            >= 0,
            "eval_every and save_every: expected 1 or more": min(self.eval_every, self.save_every) >= 1,
        }
        for message, holds in checks.items():
            if not holds:
                raise SettingsError(message)

    def to_json(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> TrainSpec:
        """The inverse of :meth:`to_json`; raises SettingsError."""
        try:
            fields = dict(values)
            fields["data"] = tuple(fields["data"])
            fields["encoder"] = EncoderSpec(**fields["encoder"])
            view = dict(fields["view"])
            fields["view"] = ViewSpec(**{**view, "footprint_m": tuple(view["footprint_m"])})
            fields["dphr"] = None if fields["dphr"] is None else DphrSpec(**fields["dphr"])
            return cls(**fields)
        except (KeyError, TypeError) as error:
            raise SettingsError(f"the run's spec does not fit this Skyfix: {error}; start the run anew") from None


PRESETS: Mapping[str, TrainSpec] = {
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
    # The strong public recipe (Deuser et al., Sample4Geo) with DPHR on top; wants a GPU.
    "paper": TrainSpec(
        encoder=EncoderSpec(backbone="convnext_base.fb_in22k_ft_in1k_384", dim=1024, side_px=384, pooling="avg"),
        batch=128,
        steps=20_000,
        lr=1e-3,
        head_lr_factor=1.0,
        clip_norm=100.0,
        warmup=0.1,
        dphr=DphrSpec(beta=0.99),
        workers=8,
    ),
}
