"""What a daemon reads of others, and inputs for it that nobody meant: messages, configurations, kept states.

A target takes one input and raises where something else comes of it than what is documented.
"""

from __future__ import annotations

import contextlib
import copy
import json
import math
import socket
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from pymavlink.dialects.v20 import common as mavlink
from pymavlink.generator.mavcrc import x25crc

from runtime.aircraft.buffer import TelemetryBuffer
from runtime.aircraft.gimbal import Mount
from runtime.aircraft.mavlink_inbox import MavlinkInbox
from runtime.aircraft.mavlink_stream import MavlinkReader, MavlinkWriter
from runtime.daemon.example import EXAMPLE
from runtime.daemon.keep import FORMAT, FlightIdentity, StateKeeper
from runtime.daemon.settings import Settings
from runtime.errors import SettingsError
from runtime.geo.mercator import LatLon
from runtime.link.mavlink_port import MavlinkLink
from runtime.locate.belief import Belief
from runtime.locate.limits import Limits
from runtime.locate.outlook import Outlook
from runtime.locate.position import PositionMeasurement
from runtime.locate.posterior import Posterior
from runtime.locate.state import FlightState
from runtime.ways.piece import Peer, Piece
from runtime.ways.readers import Readers

_KINDS = (0, 1, 24, 30, 31, 32, 33, 65, 75, 76, 77, 111, 124, 132, 136, 141, 242, 253, 285)
_FROM = ((1, 1), (1, 154), (1, 197), (255, 190))
_SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class FuzzTarget:
    """Inputs, and what takes one of them."""

    name: str
    inputs: st.SearchStrategy[Any]
    take: Callable[[Any], None]
    share: float
    """Of all inputs."""


def framed(kind: int, payload: bytes, sender: tuple[int, int]) -> bytes:
    """Return a MAVLink 2 message whose checksum is right, whatever is in it."""
    head = bytes([len(payload), 0, 0, 0, *sender, kind & 0xFF, kind >> 8 & 0xFF, kind >> 16])
    crc = x25crc(head + payload)
    crc.accumulate(bytes([mavlink.mavlink_map[kind].crc_extra]))
    return b"\xfd" + head + payload + bytes([crc.crc & 0xFF, crc.crc >> 8])


_MESSAGES = st.builds(
    framed,
    st.sampled_from([kind for kind in _KINDS if kind in mavlink.mavlink_map]),
    st.binary(max_size=255)
    | st.lists(st.sampled_from([math.nan, math.inf, -math.inf, 1e38, 0.0, 0.7]), min_size=1, max_size=12).map(
        lambda values: np.array(values, "<f4").tobytes()
    ),
    st.sampled_from(_FROM),
)
_CUT = st.builds(lambda data, at: data[:at], _MESSAGES, st.integers(0, 40))
PIECES = st.lists(_MESSAGES | _CUT | st.binary(max_size=300), min_size=1, max_size=6)


def hear_telemetry(pieces: list[bytes]) -> None:
    """Read the telemetry's bytes as the daemon does, and ask for what was learnt."""
    buffer = TelemetryBuffer(Mount(0.0, -90.0, 0.0) if len(pieces) % 2 else None)
    reader, writer, inbox = MavlinkReader(), MavlinkWriter(197), MavlinkInbox(buffer, system_id=1)
    for number, data in enumerate(pieces):
        now_us = 10 * _SECOND_US + number * 100_000
        for message in reader.read(data, number % 2):
            answer = inbox.take(message, now_us)
            if answer is not None:
                writer.packed(answer, inbox.vehicle or 1)
        for value in _angles(buffer.at(now_us)):
            if math.isinf(value):
                raise AssertionError(f"{value} is told of the aircraft")


def _angles(told: Any) -> tuple[float, ...]:
    return told.alt_agl_m, told.cam_roll_deg, told.cam_pitch_deg, told.cam_yaw_deg, told.vel_east_mps


class PiecesWay:
    """A way on which pieces come in, and out goes anything."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces

    def wait(self, timeout_s: float) -> None:
        """Wait for nothing."""

    def write(self, data: bytes, peer: Peer = None) -> None:
        """Take bytes, and forget them."""

    def read(self) -> list[Piece]:
        """Return all, once."""
        pieces, self._pieces = self._pieces, []
        return [Piece(data) for data in pieces]

    def close(self) -> None:
        """Close nothing: there is no socket."""


def hear_peer(pieces: list[bytes]) -> None:
    """Let a MAVLink link hear its peer."""
    link = MavlinkLink(None, ("GPS_INPUT",), shared=lambda: PiecesWay(pieces))
    link.open()
    link.tick()
    link.close()


def hear_readers(pieces: list[bytes]) -> None:
    """Let readers of a socket say something, and leave."""
    with tempfile.TemporaryDirectory() as folder:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(f"{folder}/sock")
        readers = Readers(listener)
        for data in pieces:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as one:
                one.connect(f"{folder}/sock")
                one.sendall(data)
                readers.read(64)
                readers.write(data)
        readers.close()


_KEYS = sorted({line.lstrip("# ").split("=")[0].strip() for line in EXAMPLE.splitlines() if "=" in line})
_TABLES = ("[map]", "[camera]", "[telemetry]", "[model]", "[start]", "[state]", "[[link]]", "[link]", "[[map]]", "[x]")
_WORDS = ("mavlink", "nmea", "msp", "jsonl", "udpin:::1:5", "udpout:h:99999", "/dev/ttyS0:0", "-", "unix:", "csi:00",
          "rtsp://u:p@h:x/", "v4l2:", "", ".", "..", "\x00", "a" * 5000, "\u202e", "telemetry",
          "GPS_INPUT")  # fmt: skip
_NUMBERS = ("nan", "-inf", "true", "0", "-1", "1e308", "9" * 400, "9" * 5_000, "1979-05-27", "1979-13-41")
_NESTS = ("[" * 9_000 + "]" * 9_000, "[]", "{}", "{ a = 1 }")
_PLAIN = (
    st.sampled_from(_NUMBERS + _NESTS)
    | st.integers().map(str)
    | st.floats(allow_nan=False, allow_infinity=False).map(repr)
    | st.sampled_from(_WORDS).map(json.dumps)
    | st.text(max_size=12).map(json.dumps)
)
_VALUES = _PLAIN | st.lists(_PLAIN, max_size=3).map(lambda some: f"[{', '.join(some)}]")
_LINES = (
    st.builds(lambda key, value: f"{key} = {value}", st.sampled_from([*_KEYS, "messages", "url", "system_id"]), _VALUES)
    | st.sampled_from(_TABLES)
    | st.sampled_from(EXAMPLE.splitlines()).map(lambda line: line.lstrip("# "))
)
TEXTS = (
    st.lists(_LINES, max_size=14).map("\n".join).map(str.encode)
    | st.builds(lambda more: EXAMPLE.encode() + b"\n" + "\n".join(more).encode(), st.lists(_LINES, max_size=4))
    | st.binary(max_size=80)
)


def read_settings(text: bytes) -> None:
    """Read a configuration; it may be refused, in words."""
    path = _scratch() / "skyfix.toml"
    path.write_bytes(text)
    with contextlib.suppress(SettingsError, OSError):
        Settings.read(path)


def whole_state() -> dict[str, Any]:
    """Return what a keeper writes of a drone that two registrations saw."""
    belief = Belief(Posterior(4e6))
    for second in (0, 1):
        belief = belief.moved(second * _SECOND_US, np.array([10.0, 0.0]), None)
        seen = np.array([10.0 * second, 0.0])
        belief = belief.registering(PositionMeasurement(second * _SECOND_US, seen, np.eye(2), 0.002))
    state = FlightState(LatLon(47.0, 8.0), belief, newest_us=_SECOND_US).to_json()
    identity = {"boot": "b", "map_sha256": "m", "encoder_sha256": "e"}
    return {"format": FORMAT, "identity": identity, "kept_at_us": 0, "state": state}


_ODD: list[Any] = [
    math.nan,
    math.inf,
    -math.inf,
    None,
    True,
    -1,
    0,
    1e308,
    -1e308,
    10**400,
    2**63,
    "",
    "x",
    [],
    {},
    [[]],
    0.5,
]
_LEAVES: st.SearchStrategy[Any] = st.sampled_from(_ODD) | st.integers(-(10**20), 10**20)
STATES = (
    st.lists(st.tuples(st.integers(0, 10**6), _LEAVES), max_size=3)
    | st.text(max_size=60)
    | st.just("[" * 99_999)
)  # fmt: skip


def go_on(wrong: list[tuple[int, Any]] | str) -> None:
    """Read a kept state of which some values are wrong; where it is taken for one, fly on with it."""
    path = _scratch() / "state.json"
    if isinstance(wrong, str):
        path.write_bytes(wrong.encode("utf-8", errors="replace"))
    else:
        whole = whole_state()
        for at, value in wrong:
            places = _places(whole)
            holder, key = places[at % len(places)]
            holder[key] = copy.deepcopy(value)
        path.write_text(json.dumps(whole), encoding="utf-8")
    state = StateKeeper(path, FlightIdentity("b", "m", "e")).kept(_SECOND_US)
    if state is not None:
        _fly_on(state)


def _places(tree: Any) -> list[tuple[Any, Any]]:
    """Return every place of a tree of lists and tables, the leaves and what holds them."""
    keys = list(tree) if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else []
    return [place for key in keys for place in ((tree, key), *_places(tree[key]))]


def _fly_on(state: FlightState) -> None:
    """Do what the localizer does with a state; raises what it would in flight."""
    t_us = 2 * _SECOND_US
    state = state.heard(t_us)
    state.doubts()
    belief = state.belief.moved(t_us, np.array([10.0, 0.0]), None)
    belief.unregistered(Limits(), None)
    belief = belief.registering(PositionMeasurement(t_us, np.array([20.0, 0.0]), np.eye(2), 0.002))
    belief.saying(belief.from_registration(80))
    outlook = Outlook(state, Limits(), 1.0)
    outlook.velocity()
    outlook.at(t_us).to_json()
    state.to_json()


_FOLDERS: list[tempfile.TemporaryDirectory[str]] = []


def _scratch() -> Path:
    """Return a folder that goes with the process."""
    if not _FOLDERS:
        _FOLDERS.append(tempfile.TemporaryDirectory())
    return Path(_FOLDERS[0].name)


TARGETS = (
    FuzzTarget("telemetry's bytes", PIECES, hear_telemetry, 0.4),
    FuzzTarget("a link's peer", PIECES, hear_peer, 0.2),
    FuzzTarget("a socket's readers", PIECES, hear_readers, 0.05),
    FuzzTarget("configurations", TEXTS, read_settings, 0.15),
    FuzzTarget("kept states", STATES, go_on, 0.2),
)
