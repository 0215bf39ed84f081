"""Inputs that nobody meant, for all that a daemon reads of others: no exception but the documented, and no hang.

    python benchmarks/fuzz.py [--inputs 100000] [--seed 0] [--rtsp 20]

Messages of the autopilot and of a link's peer, configurations, kept states; and servers that answer an RTSP camera
with garbage. The first input that breaks something is made small and printed. An input may take ``DEADLINE_S`` of the
processor's time; a hang ends the program with everybody's stack.
"""

from __future__ import annotations

import argparse
import faulthandler
import logging
import random
import socket
import threading
import time
import traceback
import warnings
from collections.abc import Callable
from typing import Any

from fuzz_targets import TARGETS, FuzzTarget
from hypothesis import HealthCheck, Phase, given, seed, settings
from report import print_setting

from runtime.cameras.rtsp import RtspStream
from runtime.errors import SettingsError

DEADLINE_S = 2.0
_HANG_S = 120.0
_A_BATCH = 5_000
_RTSP_S = 12.0  # opening may take 8 s by itself


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rtsp", type=int, default=20, help="servers of garbage")
    args = parser.parse_args()
    print_setting(1)
    logging.disable(logging.CRITICAL)  # of what is refused
    warnings.simplefilter("error", RuntimeWarning)  # arithmetic that has come to no number
    broken = sum(_fuzz(target, round(args.inputs * target.share), args.seed) for target in TARGETS)
    broken += _fuzz_rtsp(args.rtsp, args.seed)
    raise SystemExit(1 if broken else 0)


def _fuzz(target: FuzzTarget, inputs: int, first_seed: int) -> int:
    """Give a target so many inputs; print what came of it, and return whether anything broke."""
    slowest_s, began_s, count, broken = [0.0], time.monotonic(), [0], 0

    def take(one: Any) -> None:
        since_s = time.thread_time()
        count[0] += 1
        target.take(one)
        slowest_s[0] = max(slowest_s[0], time.thread_time() - since_s)

    for number, left in enumerate(range(inputs, 0, -_A_BATCH)):
        faulthandler.dump_traceback_later(_HANG_S, exit=True)
        try:
            _batch(target, take, min(left, _A_BATCH), first_seed + number)
        except Exception:  # of any kind: that it came is the finding
            traceback.print_exc()
            broken = 1
            break
        finally:
            faulthandler.cancel_dump_traceback_later()
    found = "BROKEN" if broken else "too slow" if slowest_s[0] > DEADLINE_S else "well"
    print(f"{target.name:<20} {count[0]:>7} inputs in {time.monotonic() - began_s:5.0f} s: {found}, "
          f"slowest {slowest_s[0] * 1e3:.0f} ms of the processor", flush=True)  # fmt: skip
    return broken or int(slowest_s[0] > DEADLINE_S)


def _batch(target: FuzzTarget, take: Callable[[Any], None], inputs: int, number: int) -> None:
    quiet = settings(
        max_examples=inputs,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    seed(number)(quiet(given(target.inputs)(take)))()


def _fuzz_rtsp(servers: int, number: int) -> int:
    """Open an RTSP camera that answers garbage, again and again; print what came of it."""
    rng, slowest_s, broken = random.Random(number), 0.0, 0
    for _ in range(servers):
        faulthandler.dump_traceback_later(_HANG_S, exit=True)
        answer = rng.choice((b"", b"RTSP/1.0 200 OK\r\n", b"RTSP/1.0 200 OK\r\nContent-Length: 9999999999\r\n\r\n"))
        with socket.create_server(("127.0.0.1", 0)) as listener:
            threading.Thread(
                target=_answer, args=(listener, answer + rng.randbytes(rng.randrange(2000))), daemon=True
            ).start()
            since_s = time.monotonic()
            camera = RtspStream("camera", f"rtsp://127.0.0.1:{listener.getsockname()[1]}/x")
            try:
                camera.open()
                camera.read()
            except (OSError, SettingsError):
                pass
            except Exception:
                traceback.print_exc()
                broken = 1
            camera.close()
            slowest_s = max(slowest_s, time.monotonic() - since_s)
        faulthandler.cancel_dump_traceback_later()
    late = slowest_s > _RTSP_S
    found = "BROKEN" if broken else "too slow" if late else "well"
    print(f"{'garbage by RTSP':<20} {servers:>7} servers: {found}, slowest {slowest_s:.1f} s")
    return broken or int(late)


def _answer(listener: socket.socket, data: bytes) -> None:
    try:
        client, _ = listener.accept()
        with client:
            client.recv(4096)
            client.sendall(data)
            client.settimeout(20.0)
            while client.recv(4096):
                client.sendall(data)
    except OSError:
        return


if __name__ == "__main__":
    main()
