"""Our MAVLink as others read it: MAVSDK's C++, MAVProxy's log."""

from __future__ import annotations

import importlib.util
import json
import queue
import subprocess
import sys
import threading
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from pymavlink.dialects.v20 import common as dialect

from runtime.link.link import Notice
from runtime.link.mavlink_port import MavlinkLink
from runtime.ways.address import Address
from tests.runtime.link.saying import said
from tests.waiting import free_port, wait_until

MAVSDK_EAR = """
import sys, time
from mavsdk.mavsdk import Configuration, Mavsdk
from mavsdk.plugins.mavlink_direct.mavlink_direct import MavlinkDirect
sdk = Mavsdk(Configuration.create_manual(245, 190, True))
assert sdk.add_any_connection("udpin://127.0.0.1:" + sys.argv[1]) == 0
print("listening", flush=True)
while not sdk.get_systems():
    time.sleep(0.02)
direct = MavlinkDirect(sdk.get_systems()[0])
def tell(message, _):
    text = message.fields_json
    print(text.decode() if isinstance(text, bytes) else text, flush=True)
for name in sys.argv[2:]:
    direct.subscribe_message(name, tell)
print("ready", flush=True)
time.sleep(60)
"""

needs_mavsdk = pytest.mark.skipif(importlib.util.find_spec("mavsdk") is None, reason="mavsdk is not installed")
MAVPROXY = Path(sys.executable).with_name("mavproxy.py")  # also where the environment is not activated
needs_mavproxy = pytest.mark.skipif(not MAVPROXY.is_file(), reason="MAVProxy is not installed")


@needs_mavsdk
def test_mavsdk_reads_every_field_of_both_positions() -> None:
    number = free_port()
    names = ["GLOBAL_POSITION_SENSOR", "GPS_INPUT"]
    with subprocess.Popen(
        [sys.executable, "-c", MAVSDK_EAR, str(number), *names], stdout=subprocess.PIPE, text=True
    ) as ear:
        try:
            lines: queue.Queue[str] = queue.Queue()
            threading.Thread(target=lambda: [lines.put(line) for line in ear.stdout or ()], daemon=True).start()
            assert lines.get(timeout=20) == "listening\n"
            port = MavlinkLink(Address("udpout", "127.0.0.1", number), ("GLOBAL_POSITION_SENSOR", "GPS_INPUT"))
            port.open()
            assert wait_until(lambda: not lines.empty(), each=port.tick, timeout_s=20)
            assert lines.get() == "ready\n"
            exposed_us = time.monotonic_ns() // 1000 - 150_000
            utc = datetime.now(timezone.utc) - timedelta(microseconds=150_000)
            port.send(said(exposed_at_us=exposed_us))
            read = [json.loads(lines.get(timeout=10)) for _ in names]
            port.close()
        finally:
            ear.kill()
    got: dict[str, dict[str, Any]] = {fields.pop("message_name"): fields for fields in read}
    sensor, gps = got["GLOBAL_POSITION_SENSOR"], got["GPS_INPUT"]
    assert 150_000 <= sensor["processing_time"] < 1_000_000
    assert sensor["time_usec"] - sensor["processing_time"] == exposed_us
    assert 3.0 <= sensor.pop("eph") < 3.00001
    assert sensor == {
        "message_id": 296, "target_system": 0, "target_component": 0, "id": 1, "source": 2, "flags": 0,
        "time_usec": sensor["time_usec"], "processing_time": sensor["processing_time"],
        "lat": 475123457, "lon": 82345678, "alt": 612.5, "alt_ellipsoid": None, "epv": None,
    }  # fmt: skip
    since = utc - datetime(1980, 1, 6, tzinfo=timezone.utc) + timedelta(seconds=18)  # of GPS time
    told = timedelta(weeks=gps.pop("time_week"), milliseconds=gps.pop("time_week_ms"))
    assert abs(told - since) < timedelta(milliseconds=100)
    assert 3.0 <= gps.pop("horiz_accuracy") < 3.00001 and gps.pop("vert_accuracy") == pytest.approx(3.0)
    assert 0.5 <= gps.pop("speed_accuracy") < 0.50001
    assert gps == {
        "message_id": 232, "time_usec": exposed_us, "gps_id": 0, "ignore_flags": 4 + 16 + 128, "fix_type": 3,
        "lat": 475123457, "lon": 82345678, "alt": 612.5, "hdop": 1.5, "vdop": pytest.approx(99.99),
        "vn": 4.0, "ve": 3.0, "vd": 0.0, "satellites_visible": 10, "yaw": 0,
    }  # fmt: skip


@needs_mavproxy
def test_mavproxy_logs_what_was_said(tmp_path: Path) -> None:
    number = free_port()
    command = [
        sys.executable, str(MAVPROXY), f"--master=udpin:127.0.0.1:{number}", "--daemon",
        "--non-interactive", f"--logfile={tmp_path / 'flight.tlog'}", "--state-basedir", str(tmp_path),
        "--default-modules", "log",
    ]  # fmt: skip
    port = MavlinkLink(Address("udpout", "127.0.0.1", number), ("GLOBAL_POSITION_SENSOR", "GPS_INPUT"))
    port.open()
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as proxy:
        try:

            def speak() -> None:
                port.tick()
                port.send(said())
                # a text is not told again for ten seconds, and the first is told before anybody listens
                port.notify(Notice("warning", f"Skyfix: found again at {time.monotonic():.2f}"))

            def is_logged() -> bool:
                logged = _logged(tmp_path)
                kinds = {message.get_type() for message in logged}
                texts = {message.text for message in logged if message.get_type() == "STATUSTEXT"}
                return kinds >= {"GLOBAL_POSITION_SENSOR", "GPS_INPUT", "HEARTBEAT"} and any(
                    text.startswith("Skyfix: found") for text in texts
                )

            assert wait_until(is_logged, each=speak, timeout_s=30)
        finally:
            proxy.terminate()
            proxy.wait(timeout=10)
    port.close()
    logged = {message.get_type(): message for message in _logged(tmp_path)}
    assert (logged["GLOBAL_POSITION_SENSOR"].lat, logged["GPS_INPUT"].lon) == (475123457, 82345678)
    assert logged["HEARTBEAT"].get_srcSystem() == 1
    assert (logged["STATUSTEXT"].severity, logged["STATUSTEXT"].get_srcSystem()) == (4, 1)


def _logged(folder: Path) -> list[Any]:
    """Read the log back by the dialect, past the eight bytes of time before each message."""
    path = folder / "flight.tlog"
    mav = dialect.MAVLink(None)
    mav.robust_parsing = True
    messages = (mav.parse_buffer(path.read_bytes()) or []) if path.exists() else []
    return [message for message in messages if message.get_type() != "BAD_DATA" and message.get_srcComponent() == 197]
