"""The daemon as an autopilot sees it: steady and fresh in real time, the same after a million frames, and killed.

    python benchmarks/daemon.py stream --tiles demo/town.tiles --video demo/video [--minutes 10] [--capture]
    python benchmarks/daemon.py soak --tiles demo/town.tiles --video demo/video [--frames 1000000]
    python benchmarks/daemon.py kills --tiles demo/town.tiles --video demo/video [--kills 200]

``--tiles`` is a cache of ``python -m train.world``'s map; the video of a flight over it is rendered to ``--video``
where it is not there yet, and flown there and back again. ``stream`` flies it at 30 pictures a second with every kind
of link and listens to them; with ``--capture`` it is read as a camera is, by a process of its own, and the processor's
time is told apart by thread. ``soak`` flies frames as fast as they go, most of them by a localizer that looks at no
pixel. ``kills`` ends the daemon by SIGKILL at random moments and starts it again at once.
"""

from __future__ import annotations

import argparse
import faulthandler
import tempfile
from pathlib import Path

from daemon_kills import kills
from daemon_recording import video
from daemon_soak import soak
from daemon_stream import stream
from report import print_setting


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("stream", "soak", "kills"))
    parser.add_argument("--tiles", type=Path, required=True)
    parser.add_argument("--video", type=Path, required=True, help="rendered there where it is not yet")
    parser.add_argument("--video-frames", type=int, default=300)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--capture", action="store_true", help="read by a process of its own, as a camera is")
    parser.add_argument("--frames", type=int, default=1_000_000)
    parser.add_argument("--real-every", type=int, default=1_000, help="so many frames to one that is really located")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    faulthandler.enable()  # a crash below Python says where
    print_setting(args.threads)
    flight = video(args.video, args.video_frames)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if args.what == "stream":
            stream(flight, args.tiles, folder, minutes=args.minutes, threads=args.threads, is_captured=args.capture)
        elif args.what == "soak":
            soak(flight, args.tiles, folder, frames=args.frames, real_every=args.real_every, threads=args.threads)
        else:
            kills(flight, args.tiles, folder, count=args.kills, threads=args.threads, seed=args.seed)


if __name__ == "__main__":
    main()
