"""Bytes over UDP, TCP and serial ports: who goes away, who is slow, who is answered."""

from __future__ import annotations

import os
import socket
import threading
import time

import pytest

from runtime.ways import udp
from runtime.ways.address import Address
from runtime.ways.piece import Piece
from runtime.ways.way import open_way
from tests.waiting import free_port, listening, wait_until


def test_a_server_that_went_away_is_an_error_and_one_that_came_back_is_spoken_to() -> None:
    number = free_port(socket.SOCK_STREAM)
    address = Address("tcp", "127.0.0.1", number)
    with pytest.raises(ConnectionRefusedError):
        open_way(address)
    with listening(number) as server:
        way = open_way(address)
        peer, _ = server.accept()
        way.write(b"one")
        assert peer.recv(10) == b"one"
        assert way.read() == []  # it is silent, which is no error
        peer.sendall(b"back")
        got: list[Piece] = []
        assert wait_until(lambda: got == [Piece(b"back")], each=lambda: got.extend(way.read()))
        peer.close()
    with pytest.raises(OSError):
        wait_until(lambda: False, each=way.read, timeout_s=5)
    way.close()
    with listening(number) as server:
        way = open_way(address)
        peer, _ = server.accept()
        way.write(b"two")
        assert peer.recv(10) == b"two"
        peer.close()
        way.close()


def test_a_server_that_does_not_read_is_an_error_within_a_moment() -> None:
    number = free_port(socket.SOCK_STREAM)
    with listening(number) as server:
        way = open_way(Address("tcp", "127.0.0.1", number))
        peer, _ = server.accept()
        began_s = time.monotonic()
        with pytest.raises(TimeoutError):
            way.write(b"x" * 50_000_000)
        assert time.monotonic() - began_s < 2.0
        way.close()
        peer.close()


def test_all_who_connect_are_told_and_who_is_slow_is_dropped() -> None:
    number = free_port(socket.SOCK_STREAM)
    way = open_way(Address("tcpin", "127.0.0.1", number))
    with pytest.raises(OSError, match="taken"):
        open_way(Address("tcpin", "127.0.0.1", number))
    with (
        socket.create_connection(("127.0.0.1", number)) as quick,
        socket.create_connection(("127.0.0.1", number)) as slow,
    ):
        way.read()
        line = b"x" * 9_999 + b"\n"
        read = 0
        for _ in range(3000):
            way.write(line)
            while read % len(line) or not read:
                read += len(quick.recv(len(line) - read % len(line)))
            read = 0
        way.write(b"end\n")
        assert quick.recv(10) == b"end\n"
        slow.settimeout(5)
        got = b"".join(iter(lambda: slow.recv(1 << 20), b""))  # until it is closed
        assert 0 < len(got) < 3000 * len(line)
    way.close()
    way.close()


def test_a_serial_port_carries_every_byte_both_ways() -> None:
    """A pseudo-terminal: no line discipline may turn a byte into another, nor swallow one."""
    every = bytes(range(256))
    ours, theirs = os.openpty()
    way = open_way(Address("serial", os.ttyname(theirs), 921_600))
    os.write(ours, every)
    got = b""
    while len(got) < len(every):
        way.wait(5.0)
        pieces = way.read()
        assert pieces, "it did not come"
        got += b"".join(data for data, _ in pieces)
    assert got == every
    way.write(every)
    assert os.read(ours, 1_000) == every
    began_s = time.monotonic()
    way.wait(0.05)
    assert way.read() == []
    assert time.monotonic() - began_s >= 0.04
    way.close()
    way.close()
    os.close(ours)
    os.close(theirs)


def test_who_listens_by_udp_answers_one_or_all_who_spoke() -> None:
    number = free_port()
    way = open_way(Address("udpin", "127.0.0.1", number))
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as first,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as second,
    ):
        for peer in (first, second):
            peer.settimeout(5.0)
            peer.bind(("127.0.0.1", 0))
            peer.sendto(b"hello", ("127.0.0.1", number))
        got: list[Piece] = []
        assert wait_until(lambda: len(got) == 2, each=lambda: got.extend(way.read()))
        assert {piece.peer for piece in got} == {first.getsockname(), second.getsockname()}
        way.write(b"to one", first.getsockname())
        way.write(b"to all")
        assert [first.recv(10), first.recv(10)] == [b"to one", b"to all"]
        assert second.recv(10) == b"to all"
    way.close()


def test_a_peer_that_fell_silent_or_makes_no_sense_any_more_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp, "PEER_SILENT_S", 0.3)
    monkeypatch.setattr(udp, "RENEWED_S", 0.0)
    number = free_port()
    way = open_way(Address("udpin", "127.0.0.1", number), lambda data: data == b"sense")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.connect(("127.0.0.1", number))
        peer.settimeout(0.2)
        for said in (b"sense", b"garbage"):
            peer.send(said)
            assert wait_until(way.read)
            way.write(b"to who is heard")
            assert peer.recv(20) == b"to who is heard"
        time.sleep(0.2)
        peer.send(b"garbage")
        assert wait_until(way.read)
        time.sleep(0.2)
        way.write(b"to who is heard")
        with pytest.raises(TimeoutError):
            peer.recv(20)
        peer.send(b"sense")
        assert wait_until(way.read)
        way.write(b"again")
        assert peer.recv(20) == b"again"
    way.close()


def test_one_thread_writes_while_another_reads() -> None:
    """A connection that links share with the telemetry: a writer must not make the reader wait or fail."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        way = open_way(Address("tcp", "127.0.0.1", server.getsockname()[1]))
        peer, _ = server.accept()
        sent, heard = b"0123456789" * 20_000, bytearray()
        echo = threading.Thread(target=_echo, args=(peer, len(sent)))
        writer = threading.Thread(target=lambda: [way.write(sent[i : i + 100]) for i in range(0, len(sent), 100)])
        echo.start()
        writer.start()
        end_s = time.monotonic() + 20.0
        while len(heard) < len(sent) and time.monotonic() < end_s:
            way.wait(0.1)
            heard += b"".join(data for data, _ in way.read())
        writer.join()
        echo.join()
        assert bytes(heard) == sent
        peer.close()
        way.close()


def _echo(peer: socket.socket, count: int) -> None:
    while count:
        data = peer.recv(4096)
        peer.sendall(data)
        count -= len(data)
