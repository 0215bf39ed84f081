"""A MAVLink link with an autopilot at the other end: what it answers, and what it lives through."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymavlink.dialects.v20 import common as dialect

from runtime.errors import SettingsError
from runtime.link.link import Notice
from runtime.link.mavlink_port import MavlinkLink, read_signing_key
from runtime.ways.address import Address
from runtime.ways.udp import MAX_PEERS
from tests.runtime.link.saying import nothing_said, said
from tests.waiting import free_port, wait_until


class _Autopilot:
    """Speaks MAVLink by UDP to a link that listens (``udpin``)."""

    def __init__(self, number: int, *, key: bytes | None = None, system_id: int = 3) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(("127.0.0.1", number))
        self.socket.setblocking(False)
        self.mav = dialect.MAVLink(None, srcSystem=system_id, srcComponent=1)
        self.mav.robust_parsing = True
        self.mav.signing.secret_key = key
        self.mav.signing.sign_outgoing = key is not None
        self.mav.signing.timestamp = int((time.time() - 1_420_070_400) * 1e5)

    def say(self, message: Any) -> None:
        self.socket.send(message.pack(self.mav))

    def heartbeat(self, autopilot: int = dialect.MAV_AUTOPILOT_PX4) -> None:
        self.say(dialect.MAVLink_heartbeat_message(2, autopilot, 0, 0, 4, 3))

    def heard(self) -> list[Any]:
        got = []
        while True:
            try:
                got += self.mav.parse_buffer(self.socket.recv(4096)) or []
            except BlockingIOError:
                return got


@contextlib.contextmanager
def _talking(key: bytes | None = None) -> Iterator[tuple[MavlinkLink, _Autopilot]]:
    """A link that listens, and the autopilot that it has heard."""
    number = free_port()
    address = Address("udpin", "127.0.0.1", number)
    port = MavlinkLink(address, ("GLOBAL_POSITION_SENSOR", "GPS_INPUT"), signing_key=key)
    port.open()
    pilot = _Autopilot(number, key=key)
    with contextlib.closing(port), pilot.socket:
        pilot.heartbeat()
        assert wait_until(lambda: port.autopilot_id == 3, each=port.tick)
        pilot.heard()
        yield port, pilot


def test_timesync_is_answered_with_our_clock() -> None:
    with _talking() as (port, pilot):
        before_ns = time.monotonic_ns()
        pilot.say(dialect.MAVLink_timesync_message(0, 1234))
        pilot.say(dialect.MAVLink_timesync_message(99, 1234))  # an answer, which asks nothing
        port.tick()
        answers = [message for message in pilot.heard() if message.get_type() == "TIMESYNC"]
        assert [answer.ts1 for answer in answers] == [1234]
        assert before_ns <= answers[0].tc1 <= time.monotonic_ns()


def test_a_peer_that_floods_garbage_costs_only_its_own_messages() -> None:
    with _talking() as (port, pilot):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flood:
            flood.connect(pilot.socket.getpeername())
            for _ in range(50):
                flood.send(b"\xfd\xff\x00" + os.urandom(3000))
        slowest_s = 0.0
        pilot.heartbeat()
        pilot.heard()
        heard_us = port.heard_at_us
        for _ in range(20):
            began_s = time.monotonic()
            port.tick()
            port.send(said())
            slowest_s = max(slowest_s, time.monotonic() - began_s)
        kinds = [message.get_type() for message in pilot.heard()]
        assert kinds.count("GLOBAL_POSITION_SENSOR") == kinds.count("GPS_INPUT") == 20
        assert slowest_s < 1.0
        assert port.heard_at_us != heard_us, "the autopilot behind the flood is heard in the end"


def test_who_sends_garbage_takes_no_place_among_the_peers() -> None:
    number = free_port()
    port = MavlinkLink(Address("udpin", "127.0.0.1", number), ("GPS_INPUT",))
    port.open()
    pilot = _Autopilot(number)
    with contextlib.closing(port), pilot.socket, contextlib.ExitStack() as strangers:
        for _ in range(2 * MAX_PEERS):
            stranger = strangers.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            stranger.sendto(b"\xfe\0\0\1\1\xde\0\0", ("127.0.0.1", number))  # of a kind that nobody knows
        for _ in range(3):
            port.tick()
        pilot.heartbeat()
        assert wait_until(lambda: port.heard_at_us is not None, each=port.tick)
        port.send(said())
        assert wait_until(lambda: "GPS_INPUT" in [message.get_type() for message in pilot.heard()])


@pytest.mark.parametrize(
    ("autopilot", "system_id", "allowed", "sent"),
    [
        (dialect.MAV_AUTOPILOT_PX4, 1, False, True),
        (dialect.MAV_AUTOPILOT_ARDUPILOTMEGA, 1, False, False),
        (dialect.MAV_AUTOPILOT_ARDUPILOTMEGA, 1, True, True),
        (dialect.MAV_AUTOPILOT_ARDUPILOTMEGA, 3, False, True),  # another vehicle's
    ],
)
def test_global_positions_are_kept_from_ardupilot_unless_the_settings_say_so(
    autopilot: int, system_id: int, *, allowed: bool, sent: bool, caplog: pytest.LogCaptureFixture
) -> None:
    number = free_port()
    port = MavlinkLink(
        Address("udpin", "127.0.0.1", number),
        ("GLOBAL_POSITION_SENSOR", "GPS_INPUT"),
        global_position_to_ardupilot=allowed,
    )
    port.open()
    pilot = _Autopilot(number, system_id=system_id)
    with contextlib.closing(port), pilot.socket:
        for _ in range(2):
            pilot.heartbeat(autopilot)
            heard_us = port.heard_at_us
            assert wait_until(lambda before_us=heard_us: port.heard_at_us != before_us, each=port.tick)
        pilot.heard()
        port.send(said())
        kinds: list[str] = []
        assert wait_until(lambda: "GPS_INPUT" in (kinds.extend(m.get_type() for m in pilot.heard()) or kinds))
        assert ("GLOBAL_POSITION_SENSOR" in kinds) is sent
        assert caplog.text.count("the autopilot is ArduPilot") == (not sent)
        pilot.heartbeat(dialect.MAV_AUTOPILOT_PX4)
        heard_us = port.heard_at_us
        assert wait_until(lambda: port.heard_at_us != heard_us, each=port.tick)
        port.send(said())
        pilot.say(dialect.MAVLink_timesync_message(0, 1234))
        assert wait_until(
            lambda: "GLOBAL_POSITION_SENSOR" in [m.get_type() for m in pilot.heard()], each=lambda: port.send(said())
        ), "another autopilot has taken over"


def test_a_torn_datagram_does_not_eat_the_next() -> None:
    with _talking() as (port, pilot):
        heard_us = port.heard_at_us
        pilot.socket.send(b"\xfd\x09\x00\x00")  # of 21 bytes
        pilot.heartbeat()
        assert wait_until(lambda: port.heard_at_us != heard_us, each=port.tick, timeout_s=2)


def test_a_notice_that_had_to_wait_is_told_later() -> None:
    with _talking() as (port, pilot):
        for text in ("Skyfix: lost", "Skyfix: found"):
            port.notify(Notice("warning", text))
        told: list[str] = []

        def listen() -> None:
            port.tick()
            told.extend(message.text for message in pilot.heard() if message.get_type() == "STATUSTEXT")

        assert wait_until(lambda: len(told) == 2, each=listen, timeout_s=5)
        assert told == ["Skyfix: lost", "Skyfix: found"]


def test_no_fix_is_silence_and_moments_go_forward() -> None:
    with _talking() as (port, pilot):
        port.send(nothing_said())
        now_us = time.monotonic_ns() // 1000
        for age_us, is_carried in ((10_000, True), (200_000, False), (5_000, True)):
            port.send(said(exposed_at_us=now_us - age_us, is_carried=is_carried))
        heard = pilot.heard()
        sensors = [m for m in heard if m.get_type() == "GLOBAL_POSITION_SENSOR"]
        receiver = [m.time_usec for m in heard if m.get_type() == "GPS_INPUT"]
        assert [m.time_usec - m.processing_time for m in sensors] == [now_us - 200_000]  # a frame's, not a moment's
        assert receiver == [now_us - 10_000, now_us - 5_000]


def test_messages_are_signed_and_numbered_one_by_one() -> None:
    key = bytes(range(32))
    with _talking(key) as (port, pilot):
        port.send(said())
        port.notify(Notice("notice", "Skyfix: ready"))
        heard = pilot.heard()
        assert [message.get_type() for message in heard] == ["GLOBAL_POSITION_SENSOR", "GPS_INPUT", "STATUSTEXT"]
        assert all(message.get_signed() for message in heard) and pilot.mav.signing.goodsig_count == len(heard)
        assert [message.get_seq() for message in heard] == [heard[0].get_seq() + step for step in range(3)]
        heard_us = port.heard_at_us
        forger = _Autopilot(pilot.socket.getpeername()[1])
        with forger.socket:
            forger.heartbeat()
            port.tick()
        assert port.heard_at_us == heard_us, "an unsigned heartbeat was believed"


def test_a_port_that_is_taken_is_told_in_one_line() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        number = other.getsockname()[1]
        port = MavlinkLink(Address("udpin", "127.0.0.1", number), ("GPS_INPUT",))
        with pytest.raises(SettingsError, match=f"port {number} is taken by another program.*ss -tulpn") as told:
            port.open()
    assert "\n" not in str(told.value)


def test_nobody_listening_yet_is_no_error() -> None:
    port = MavlinkLink(Address("udpout", "127.0.0.1", free_port()), ("GPS_INPUT",))
    port.open()
    for _ in range(5):  # the first is refused, which the next call is told
        port.send(said())
        port.tick()
    port.close()
    port.close()
    with pytest.raises(OSError, match="not open"):
        port.tick()


@pytest.mark.parametrize(
    ("text", "said_of_it"), [("zz" * 32, "not hexadecimal"), ("00" * 31, "31 bytes"), (None, "read")]
)
def test_a_signing_key_that_is_none_is_refused(tmp_path: Path, text: str | None, said_of_it: str) -> None:
    path = tmp_path / "key"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SettingsError, match=f"{said_of_it}.*openssl rand -hex 32"):
        read_signing_key(path)
    path.write_text("0f" * 32 + "\n")
    assert read_signing_key(path) == b"\x0f" * 32
