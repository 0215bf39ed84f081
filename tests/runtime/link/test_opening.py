"""Links as settings name them: each kind opened, each wrong key refused with what was expected."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from runtime.errors import SettingsError
from runtime.link.opening import LinkSpec, open_link
from tests.runtime.link.saying import said
from tests.waiting import free_port


def test_each_kind_sends_a_fix(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear, socket.create_server(("127.0.0.1", 0)) as server:
        ear.bind(("127.0.0.1", 0))
        ear.settimeout(5)
        udp, tcp = (f"127.0.0.1:{sock.getsockname()[1]}" for sock in (ear, server))
        first = []
        for spec in (LinkSpec("mavlink", f"udpout:{udp}"), LinkSpec("nmea", f"udpout:{udp}", messages=("RMC",))):
            link = open_link(spec)
            link.open()
            link.send(said())
            first.append(ear.recv(1000)[:6])
            link.close()
        assert first == [b"\xfd" + bytes([41 - 1, 0, 0, 0, 1]), b"$GPRMC"]  # the last byte, flags, is 0 and left out
        msp = open_link(LinkSpec("msp", f"tcp:{tcp}"))
        msp.open()
        msp.send(said())
        with server.accept()[0] as peer:
            assert peer.recv(100)[:3] == b"$X<"
        msp.close()
    lines = open_link(LinkSpec("jsonl", path=str(tmp_path / "a")))
    lines.open()
    lines.send(said())
    lines.close()
    assert (tmp_path / "a").read_text().startswith('{"t_us"')


SPEC = partial(partial, LinkSpec)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (SPEC("mavlnk"), "kind is 'mavlnk'; expected one of mavlink, nmea, msp, jsonl; did you mean 'mavlink'?"),
        (SPEC("nmea"), "url is missing; a link of kind nmea needs one"),
        (SPEC("jsonl", url="udpout:h:1"), "path is missing; a link of kind jsonl needs one"),
        (SPEC("nmea", url="udpout:h:1", path="a"), "path is 'a'; nmea has url instead"),
        (SPEC("msp", url="udpout:h:1"), "url is 'udpout:h:1'; expected one of tcp:HOST:PORT, /dev/ttyTHS1:921600"),
        (SPEC("mavlink", url="tcp:h:1", system_id=0), "system_id is 0; expected a whole number from 1 to 255"),
        (SPEC("mavlink", url="tcp:h:1", sensor_id="1"), "sensor_id is '1'; expected a whole number"),
        (SPEC("mavlink", url="tcp:h:1", messages=["ODOMETRY"]), "messages has 'ODOMETRY', which mavlink is not sent: "),
        (SPEC("nmea", url="tcp:h:1", messages=["GLL"]), "messages has 'GLL', which nmea is not sent; expected of GGA"),
        (SPEC("msp", url="tcp:h:1", messages=["GGA"]), "messages has 'GGA', which msp is not sent; expected none"),
        (SPEC("nmea", url="tcp:h:1", signing_key=Path("k")), "signing_key is 'k'; only mavlink is signed"),
    ],
)
def test_a_key_that_does_not_fit_is_refused(wrong: Callable[[], LinkSpec], told: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(f"[[link]] {told}")):
        wrong()


def test_a_key_of_signing_is_read_before_the_flight(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("ab")
    with pytest.raises(SettingsError, match="has 1 bytes"):
        open_link(LinkSpec("mavlink", f"udpout:h:{free_port()}", signing_key=tmp_path / "key"))


def test_who_does_not_speak_mavlink_does_not_load_it() -> None:
    code = (
        "import sys; from runtime.link.opening import LinkSpec, open_link; import runtime.link.fanout;"
        "open_link(LinkSpec('jsonl', path='-')); open_link(LinkSpec('nmea', 'udpout:h:1'));"
        "open_link(LinkSpec('msp', 'tcp:h:1')); sys.exit('pymavlink' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
