"""A link over the telemetry's connection, with an autopilot at the other end of it."""

from __future__ import annotations

import contextlib
import socket

import pytest
from pymavlink.dialects.v20 import common as dialect

from runtime.daemon.autopilot import Aircraft
from runtime.link.mavlink_port import MavlinkLink
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
