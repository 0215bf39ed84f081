"""The flags of a run: each names a setting that there is, and what is not given is not among the settings."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

from train.options import RunRequest, build_parser, parse_request
from train.spec import TrainSpec


def test_every_flag_is_the_path_of_a_setting() -> None:
    beside_the_settings = {"help", "preset", "out", "resume", "verbose"}
    paths = {action.dest for action in build_parser()._actions} - beside_the_settings
    spec = TrainSpec()
    for path in paths:
        part, _, name = path.rpartition(".")
        holder = getattr(spec, part) if part else spec
        assert is_dataclass(holder)
        assert name in {field.name for field in fields(holder)}, path
    settings = {field.name for field in fields(TrainSpec)} - {"encoder", "view"}
    assert settings - paths == set()  # and every setting has a flag


def test_only_what_is_given_is_among_the_settings() -> None:
    assert parse_request([]) == RunRequest({})
    given = "--preset paper --data world:1 --data overhead:a@0.3*2 --footprint 30 60.5 --matryoshka 64,32, --no-rda"
    more = "--host triplet --side 96 --beside --verbose --out runs/a"
    request = parse_request([*given.split(), *more.split()])
    assert request == RunRequest(
        {
            "data": ("world:1", "overhead:a@0.3*2"),
            "view.footprint_m": (30.0, 60.5),
            "matryoshka": (64, 32),
            "dphr.rda": False,
            "host": "triplet",
            "encoder.side_px": 96,
            "view.beside": True,
        },
        preset="paper",
        out=Path("runs/a"),
        verbose=True,
    )
    assert parse_request(["--no-dphr", "--resume", "runs/a"]) == RunRequest({"dphr": None}, resume=Path("runs/a"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--preset huge", "invalid choice: 'huge'"),
        ("--pooling max", "invalid choice: 'max'"),
        ("--amp int8", "invalid choice: 'int8'"),
        ("--matryoshka 64;32", "expected lengths with commas between"),
        ("--footprint 30", "expected 2 arguments"),
        ("--steps many", "invalid int value"),
        ("--lerning-rate 1", "unrecognized arguments"),
    ],
)
def test_flags_that_cannot_be_understood_end_in_usage(
    arguments: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        parse_request(arguments.split())
    assert message in capsys.readouterr().err
