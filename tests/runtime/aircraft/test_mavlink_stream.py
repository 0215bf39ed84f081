"""Messages in a stream of bytes, among whatever else is in it."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from pymavlink.dialects.v20 import common as mavlink

from runtime.aircraft.buffer import TelemetryBuffer
from runtime.aircraft.mavlink_inbox import MavlinkInbox
from runtime.aircraft.mavlink_stream import MavlinkReader, MavlinkWriter
from tests.runtime.aircraft.vehicle import Speaker, autopilot_heartbeat, boot_message, position_command

MESSAGES = [
    autopilot_heartbeat(),
    boot_message("ATTITUDE", 1),
    boot_message("GIMBAL_DEVICE_ATTITUDE_STATUS", 1),
    boot_message("DISTANCE_SENSOR", 1),
    position_command(),
]


def packed(*messages: object) -> bytes:
    with Speaker(1) as speaker:
        return b"".join(speaker.packed(message) for message in messages)


broken = st.builds(
    lambda which, at, byte: packed(MESSAGES[which])[:at] + bytes([byte]) + packed(MESSAGES[which])[at + 1 :],
    st.integers(0, len(MESSAGES) - 1),
    st.integers(0, 60),
    st.integers(0, 255),
)
chunks = st.lists(st.binary(max_size=400) | broken | st.sampled_from([packed(m) for m in MESSAGES]), max_size=12)


@settings(max_examples=500)
@given(chunks, st.sampled_from([None, 1, 2]))
def test_no_bytes_make_it_raise(parts: list[bytes], peer: int | None) -> None:
    buffer = TelemetryBuffer()
    reader, inbox = MavlinkReader(), MavlinkInbox(buffer)
    for k, part in enumerate(parts):
        for message in reader.read(part, peer):
            inbox.take(message, 1_000_000 * k)
        told = buffer.at(1_000_000 * k)
        assert told.as_possible() is told, "what no drone can measure never comes through"


# A message with values of any bits, and a right checksum: what a broken or a hostile autopilot may send.
kinds = st.sampled_from(
    [24, 30, 31, 32, 33, 75, 76, 0, 124, 132, 136, 141, 285]  # every one that is heard, by its number
)


@settings(max_examples=500)
@given(st.lists(st.tuples(kinds, st.binary(min_size=80, max_size=80), st.integers(1, 2)), max_size=8))
def test_no_values_make_it_raise(messages: list[tuple[int, bytes, int]]) -> None:
    buffer = TelemetryBuffer()
    inbox, reader = MavlinkInbox(buffer, system_id=1, component_id=0), MavlinkReader()
    for k, (number, payload, component) in enumerate(messages):
        known = mavlink.mavlink_map[number]
        sender = mavlink.MAVLink(None, srcSystem=1, srcComponent=component)
        raw = known.__new__(known)
        mavlink.MAVLink_message.__init__(raw, number, known.msgname)
        data = bytes(raw._pack(sender, known.crc_extra, payload[: known.unpacker.size]))
        (found,) = reader.read(data)
        inbox.take(found, 50_000 * k)
        told = buffer.at(50_000 * k)
        assert told.as_possible() is told, "what no drone can measure never comes through"


def test_a_message_after_garbage_of_its_own_sender_is_found_again() -> None:
    reader = MavlinkReader()
    rng = np.random.default_rng(1)
    found = []
    for _ in range(100):
        found += reader.read(rng.bytes(200) + packed(*MESSAGES), "serial")
    assert len(found) > 250


def test_garbage_of_one_swallows_no_message_of_another() -> None:
    """The start of a long message that never ends would take the next 255 bytes, whoever sent them."""
    reader = MavlinkReader()
    for k in range(40):
        assert reader.read(b"\xfd\xff\x00\x00", ("127.0.0.1", 5)) == []
        assert len(reader.read(packed(MESSAGES[k % 5]), ("127.0.0.1", 6))) == 1


def test_a_flood_from_many_and_without_an_end_takes_no_memory() -> None:
    reader = MavlinkReader()
    for k in range(1_000):
        reader.read(b"\xfd\xff\x00\x00" + b"\x01" * 500, k)
        reader.read(b"\xfd\x20\x00\x00" + b"\xfd" * 501, "one")
    assert len(reader._parsers) <= 8
    assert all(len(parser.buf) < 40_000 for parser in reader._parsers.values())


def test_bytes_of_messages_are_mavlink_2_and_counted_on() -> None:
    writer = MavlinkWriter(197)
    data = [writer.packed(autopilot_heartbeat(), 3) for _ in range(300)]
    assert {one[0] for one in data} == {0xFD}
    assert [one[4] for one in data] == [k % 256 for k in range(300)]
    assert {(one[5], one[6]) for one in data} == {(3, 197)}
