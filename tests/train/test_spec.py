"""A run's settings: they survive JSON, are changed by path, and name their flag when they make no sense."""

from __future__ import annotations

import json

import pytest

from runtime.errors import SettingsError
from train.losses.dphr import DphrSpec
from train.spec import PRESETS, TrainSpec, differences


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_a_preset_survives_its_own_json(preset: str) -> None:
    assert TrainSpec.from_json(json.loads(json.dumps(PRESETS[preset].to_json()))) == PRESETS[preset]


def test_a_spec_of_an_earlier_version_gets_the_defaults_of_what_it_does_not_name() -> None:
    values = TrainSpec(lr=1e-3).to_json()
    del values["ema"], values["chunk"]
    assert TrainSpec.from_json(values) == TrainSpec(lr=1e-3)
    with pytest.raises(SettingsError, match="does not fit this Skyfix"):
        TrainSpec.from_json({**values, "colour": "red"})


@pytest.mark.parametrize(
    "settings",
    [
        {"lr": float("nan")},
        {"clip_norm": 0.0},
        {"batch": 1},
        {"host": "softmax"},
        {"host": "none", "dphr": None},
        {"matryoshka": (512,)},
        {"ema": 1.0},
        {"chunk": -1},
        {"warm_side_px": 8},
    ],
)
def test_a_setting_that_makes_no_sense_names_its_flag(settings: dict[str, object]) -> None:
    name = next(iter(settings)).removesuffix("_px").replace("_", "-")
    with pytest.raises(SettingsError, match=f"--{name}"):
        TrainSpec(**settings)  # type: ignore[arg-type]


def test_settings_are_changed_by_their_path() -> None:
    changed = TrainSpec().changed({"lr": 1e-3, "encoder.dim": 64, "dphr.margin": 0.2})
    assert (changed.lr, changed.encoder.dim, changed.dphr) == (1e-3, 64, DphrSpec(margin=0.2))
    with pytest.raises(SettingsError, match="nothing to set --margin of"):
        TrainSpec().changed({"dphr": None, "dphr.margin": 0.2})


def test_differences_tell_both_values_and_leave_out_what_a_resumed_run_may_change() -> None:
    run = TrainSpec(lr=5e-4)
    assert differences(run, run.changed({"steps": 9, "minutes": 5.0, "workers": 7, "device": "cpu"})) == []
    assert differences(run, run.changed({"lr": 1e-3, "encoder.dim": 64})) == [
        "encoder.dim is 256 in the run and 64 asked",
        "lr is 0.0005 in the run and 0.001 asked",
    ]
    assert len(differences(run, run.changed({"dphr": None}))) > 1
