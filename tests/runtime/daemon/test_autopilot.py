"""The autopilot at the other end: where it is, as the settings say, and a link over the telemetry's connection."""

from __future__ import annotations

import contextlib
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymavlink.dialects.v20 import common as dialect

from runtime.daemon.autopilot import Aircraft, parse_telemetry
from runtime.errors import SettingsError
from runtime.link.mavlink_port import MavlinkLink
from runtime.ways.address import Address
from tests.runtime.link.saying import said
from tests.waiting import free_port, wait_until


@pytest.mark.parametrize(
    ("autopilot", "sent"), [(dialect.MAV_AUTOPILOT_PX4, True), (dialect.MAV_AUTOPILOT_ARDUPILOTMEGA, False)]
)
def test_the_link_learns_from_the_telemetry_what_autopilot_it_is(autopilot: int, *, sent: bool) -> None:
    number, mav = free_port(), dialect.MAVLink(None, srcSystem=1, srcComponent=1)
    mav.robust_parsing = True
    aircraft = Aircraft(f"mavlink:udpin:127.0.0.1:{number}", None, None)
    link = MavlinkLink(None, ("GLOBAL_POSITION_SENSOR", "GPS_INPUT"), shared=aircraft.open_shared_way)
    with contextlib.ExitStack() as stack:
        stack.callback(aircraft.stop)
        aircraft.start()
        link.open()
        stack.callback(link.close)
        pilot = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        pilot.settimeout(5.0)

        def beat() -> None:
            pilot.sendto(dialect.MAVLink_heartbeat_message(2, autopilot, 0, 0, 4, 3).pack(mav), ("127.0.0.1", number))
            with contextlib.suppress(OSError):  # until it is heard there is nobody to send to
                link.tick()

        assert wait_until(lambda: link.autopilot_id == 1, each=beat)
        link.send(said())
        kinds: list[str] = []
        while "GPS_INPUT" not in kinds:
            kinds += [message.get_type() for message in mav.parse_buffer(pilot.recv(4096)) or []]
    assert ("GLOBAL_POSITION_SENSOR" in kinds) is sent


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mavlink:udpin:127.0.0.1:14550", Address("udpin", "127.0.0.1", 14550)),
        ("mavlink:udpout:router.local:14550", Address("udpout", "router.local", 14550)),
        ("mavlink:tcp:127.0.0.1:5760", Address("tcp", "127.0.0.1", 5760)),
        ("mavlink:/dev/ttyTHS1:921600", Address("serial", "/dev/ttyTHS1", 921_600)),
        (
            "mavlink:/dev/serial/by-path/usb-0:2.1:1.0-port0:57600",
            Address("serial", "/dev/serial/by-path/usb-0:2.1:1.0-port0", 57_600),
        ),
    ],
)
def test_a_source_is_read(text: str, expected: Address) -> None:
    assert parse_telemetry(text) == expected
    assert f"mavlink:{expected}" == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mavlink",
        "udpin:127.0.0.1:14550",
        "mavlink:udp:127.0.0.1:14550",
        "mavlink:udpin:14550",
        "mavlink:udpin:127.0.0.1:",
        "mavlink:udpin:127.0.0.1:-1",
        "mavlink:udpin:127.0.0.1:0",
        "mavlink:udpin:127.0.0.1:70000",
        "mavlink:/dev/ttyTHS1",
        "mavlink:/dev/ttyTHS1:921601",
        "mavlink:/dev/ttyTHS1:9600000000",
    ],
)
def test_a_source_that_is_none_is_refused_with_its_text(text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_telemetry(text)
    assert repr(text) in str(caught.value)
    assert "expected" in str(caught.value) or "between" in str(caught.value)


@given(st.text(max_size=40) | st.text("mavlink:udpintc/.0123456789", max_size=40))
def test_any_text_is_a_source_or_a_settings_error(text: str) -> None:
    with contextlib.suppress(SettingsError):
        assert parse_telemetry(text).number > 0
