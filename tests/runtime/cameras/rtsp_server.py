"""A small RTSP server for tests: FFmpeg's packets, carried over TCP; every picture has its number in its pixels."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
import time
from pathlib import Path

import numpy as np

from runtime.types import Picture

FPS = 25
_ROWS, _COLUMNS, _BLOCK_PX = 3, 4, 40
_BITS = _ROWS * _COLUMNS


def number_in(picture: Picture) -> int:
    """Read the number that :func:`write_clip` drew: twelve blocks, black or white."""
    blocks = picture[..., 1].reshape(_ROWS, _BLOCK_PX, _COLUMNS, _BLOCK_PX).mean(axis=(1, 3)).ravel()
    assert ((blocks < 64) | (blocks > 192)).all(), "a picture that is broken, or of something else"
    return sum(1 << bit for bit in range(_BITS) if blocks[bit] > 128)


def _drawn(number: int) -> Picture:
    blocks = np.array([number >> bit & 1 for bit in range(_BITS)], np.uint8).reshape(_ROWS, _COLUMNS) * 255
    return np.repeat(blocks.repeat(_BLOCK_PX, 0).repeat(_BLOCK_PX, 1)[..., None], 3, axis=2)


def write_clip(path: Path, codec: str, seconds: int) -> Path:
    """Encode numbered pictures, a key picture every half a second."""
    size = f"{_COLUMNS * _BLOCK_PX}x{_ROWS * _BLOCK_PX}"
    command = ["ffmpeg", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-r", str(FPS),
               "-i", "-", "-c:v", codec, "-preset", "ultrafast", "-tune", "zerolatency", "-g", "12",
               "-pix_fmt", "yuv420p", str(path)]  # fmt: skip
    pixels = b"".join(_drawn(number).tobytes() for number in range(seconds * FPS))
    subprocess.run(command, input=pixels, check=True, capture_output=True)
    return path


class RtspServer:
    """Streams a clip as a camera does, whether or not somebody listens. One client at a time."""

    def __init__(self, clip: Path, home: Path) -> None:
        self._rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._rtp.bind(("127.0.0.1", 0))
        self._rtp.settimeout(0.2)
        self._sdp = home / "stream.sdp"
        self._client: socket.socket | None = None
        self._listener: socket.socket | None = None
        self._done = threading.Event()
        self.port = 0
        self.is_silent = False
        self.password = ""  # what a client has to know, as "Basic ..."
        to = f"rtp://127.0.0.1:{self._rtp.getsockname()[1]}?pkt_size=1200"
        command = ["ffmpeg", "-v", "error", "-re", "-i", str(clip), "-c", "copy", "-f", "rtp"]
        self._ffmpeg = subprocess.Popen([*command, "-sdp_file", str(self._sdp), to], stdin=subprocess.DEVNULL)
        self._threads = [threading.Thread(target=self._forward)]
        self._threads[0].start()

    def listen(self) -> None:
        """Begin to answer, at the same port as before."""
        end_s = time.monotonic() + 10.0
        while not (self._sdp.is_file() and "m=video" in self._sdp.read_text()):
            assert time.monotonic() < end_s, "ffmpeg does not stream"
            time.sleep(0.02)
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        self._threads.append(threading.Thread(target=self._accept, args=(self._listener,)))
        self._threads[-1].start()

    def hang_up(self) -> None:
        """Cut the connection, and answer nobody."""
        for end in (self._listener, self._client):
            if end is not None:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()
        self._listener = self._client = None

    def close(self) -> None:
        self._done.set()
        self.hang_up()
        self._ffmpeg.kill()
        self._ffmpeg.wait()
        for thread in self._threads:
            thread.join()
        self._rtp.close()

    def __enter__(self) -> RtspServer:
        self.listen()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _forward(self) -> None:
        while not self._done.is_set():
            with contextlib.suppress(OSError):
                packet = self._rtp.recv(65536)
                client = self._client
                if client is not None and not self.is_silent:
                    client.sendall(b"$\0" + len(packet).to_bytes(2, "big") + packet)

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, contextlib.suppress(OSError), connection.makefile("rb") as requests:
                    while head := _head(requests):
                        self._answer(connection, head)
                self._client = None

    def _answer(self, connection: socket.socket, head: list[str]) -> None:
        method = head[0].split()[0]
        fields = dict(line.split(": ", 1) for line in head[1:])
        answer, body, status = {"CSeq": fields["CSeq"]}, "", "200 OK"
        if self.password and fields.get("Authorization") != self.password:
            status, answer["WWW-Authenticate"] = "401 Unauthorized", 'Basic realm="camera"'
        elif method == "OPTIONS":
            answer["Public"] = "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN"
        elif method == "DESCRIBE":
            body = self._sdp.read_text().removeprefix("SDP:\n")
            answer |= {"Content-Type": "application/sdp", "Content-Length": str(len(body))}
        elif method == "SETUP":
            answer |= {"Transport": "RTP/AVP/TCP;unicast;interleaved=0-1", "Session": "1"}
        elif method == "PLAY":
            answer["Session"] = "1"
        lines = [f"RTSP/1.0 {status}", *(f"{name}: {value}" for name, value in answer.items()), "", body]
        connection.sendall("\r\n".join(lines).encode())
        if method == "PLAY":
            self._client = connection


def _head(requests: socket.SocketIO) -> list[str]:
    """Read a request's lines; receiver reports between them are passed over."""
    lines: list[str] = []
    while first := requests.read(1):
        if first == b"$" and not lines:
            size = requests.read(3) or b"\0\0\0"
            requests.read(int.from_bytes(size[1:], "big"))
            continue
        line = (first + requests.readline()).decode().strip()
        if line:
            lines.append(line)
        elif lines:
            return lines
    return []
