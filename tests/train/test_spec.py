"""A run's settings: they survive JSON, are changed by path, and name their flag when they make no sense."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import SettingsError
from train.choices import DISTANCES, HOSTS, POOLINGS
from train.data.view_pair import ViewSpec
from train.losses.dphr import DphrSpec
from train.model.encoder import EncoderSpec
from train.spec import PRESETS, TrainSpec, differences, flag


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


def test_settings_that_would_undo_the_finish_for_int8_are_refused() -> None:
    kept = TrainSpec(quantise=True, amp="off", ema=0.9)
    for wrong, message in (
        ({"amp": "bf16"}, "--amp off"),
        ({"train_norms": True}, "--train-norms"),
        ({"ema": 0.0}, "--ema"),
    ):
        with pytest.raises(SettingsError, match=message):
            replace(kept, **wrong)


@given(
    st.builds(
        dict,
        lr=st.floats(1e-6, 1.0),
        steps=st.integers(1, 10**9),
        matryoshka=st.lists(st.integers(1, 255), max_size=3).map(tuple),
        host=st.sampled_from(HOSTS[:-1]),
        dphr=st.none() | st.builds(DphrSpec, margin=st.floats(0, 10), distance=st.sampled_from(DISTANCES)),
        data=st.lists(st.text(max_size=20), max_size=3).map(tuple),
        encoder=st.builds(EncoderSpec, dim=st.just(256), pooling=st.sampled_from(POOLINGS), init=st.text(max_size=9)),
        view=st.builds(ViewSpec, footprint_m=st.just((30.0, 60.0)), beside=st.booleans()),
    )
)
def test_any_spec_survives_json_and_differs_from_another_by_its_paths(settings: dict[str, Any]) -> None:
    spec = TrainSpec(**settings)
    again = TrainSpec.from_json(json.loads(json.dumps(spec.to_json())))
    assert again == spec
    assert differences(spec, again) == []
    other = spec.changed({"seed": spec.seed + 1, "view.tilt_deg": 12.0})
    assert [line.partition(" ")[0] for line in differences(spec, other)] == ["view.tilt_deg", "seed"]


@pytest.mark.parametrize(
    "spoil", [{"encoder": None}, {"encoder": {"colour": 1}}, {"dphr": {"gamma": 1}}, {"view": 3}, {"colour": "red"}]
)
def test_a_spec_that_is_of_another_shape_says_to_start_anew(spoil: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match=r"does not fit this Skyfix.*start the run anew"):
        TrainSpec.from_json({**TrainSpec().to_json(), **spoil})


def test_a_message_names_a_setting_by_its_flag() -> None:
    assert [flag(path) for path in ("lr", "clip_norm", "encoder.side_px", "dphr.w_min")] == [
        "--lr", "--clip-norm", "--side", "--w-min"
    ]  # fmt: skip
