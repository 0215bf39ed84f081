"""The state of a flight on disk: gone on from within a minute of the same flight, and from nothing else."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from runtime.daemon.keep import FlightIdentity, StateKeeper
from tests.runtime.daemon.test_loop import flown_east

IDENTITY = FlightIdentity("a boot", "a map", "an encoder")


def kept(path: Path, at_us: int = 100_000_000) -> StateKeeper:
    keeper = StateKeeper(path, IDENTITY)
    keeper.keep(flown_east(), at_us)
    return keeper


def test_a_state_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    state = kept(tmp_path / "state.json").kept(105_000_000)
    assert state is not None
    assert state.to_json() == flown_east().to_json()


def test_it_is_written_once_a_second_and_never_half(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    keeper = kept(path)
    path.write_text("")
    keeper.keep(flown_east(), 100_900_000)
    assert path.read_text() == ""
    keeper.keep(flown_east(), 101_000_000)
    assert json.loads(path.read_text())["kept_at_us"] == 101_000_000
    assert [one.name for one in tmp_path.iterdir()] == ["state.json"]


@pytest.mark.parametrize(
    ("identity", "now_us", "why"),
    [
        (replace(IDENTITY, boot="another"), 105_000_000, "another boot, map or encoder"),
        (replace(IDENTITY, map_sha256="another"), 105_000_000, "another boot, map or encoder"),
        (replace(IDENTITY, encoder_sha256="another"), 105_000_000, "another boot, map or encoder"),
        (IDENTITY, 161_000_000, "61 s old"),
        (IDENTITY, 99_000_000, "-1 s old"),
    ],
)
def test_another_flight_s_state_and_an_old_one_are_left_alone(
    *, identity: FlightIdentity, now_us: int, why: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept(tmp_path / "state.json")
    with caplog.at_level(logging.INFO, "runtime"):
        assert StateKeeper(tmp_path / "state.json", identity).kept(now_us) is None
    assert why in caplog.text


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", "{", '{"format": 2}', '{"format": 1}', '{"format": 1, "identity": 3}', "\x00\xff", "[" * 99_999],
)
def test_what_is_no_state_is_told_and_flown_without(
    text: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "state.json").write_text(text, encoding="latin-1")
    with caplog.at_level(logging.INFO, "runtime"):
        assert StateKeeper(tmp_path / "state.json", IDENTITY).kept(0) is None
    assert "is not gone on from" in caplog.text


def test_a_state_whose_values_were_altered_never_ends_the_flight(tmp_path: Path) -> None:
    """Each value of the file in turn is another one: the state is refused, or it is one."""
    path = tmp_path / "state.json"
    kept(path)
    whole = json.loads(path.read_text())["state"]
    for key in whole:
        for other in (None, "x", [], {}, -1, float("nan"), [None]):
            values = json.loads(path.read_text())
            values["state"] = {**whole, key: other}
            path.write_text(json.dumps(values))
            state = StateKeeper(path, IDENTITY).kept(101_000_000)
            assert state is None or json.dumps(state.to_json(), allow_nan=False)


def test_without_a_file_a_flight_begins_without_a_word(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert StateKeeper(tmp_path / "none.json", IDENTITY).kept(0) is None
    assert not caplog.records


def test_a_disk_that_takes_nothing_is_told_once_and_flown_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    keeper = StateKeeper(tmp_path / "file" / "state.json", IDENTITY)
    for second in range(3):
        keeper.keep(flown_east(), second * 1_000_000)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
