"""A ``skyfix.toml`` to begin with."""

from __future__ import annotations

EXAMPLE = """\
[map]
tiles = "town.tiles"            # from python -m runtime.tiles build

[camera]
source = "frames"               # csi:0 | v4l2:/dev/video0 | rtsp://... | a video | a folder | a recorded flight
calibration = "camera.yaml"     # ROS camera_info, of the mode that is flown
# telemetry = "telemetry.csv"   # for a video; a folder has its own
# follow = true                 # wait for new pictures; without it the daemon ends with the source
# realtime = true               # keep to the recording's clock and drop what comes too late, as in flight
# every_s = 0.5                 # of a video: one frame so often
# exposure_delay_ms = 30        # from exposure to the picture's arrival
# mount_pitch_deg = -90         # a camera that is fixed to the aircraft; left out: a gimbal tells

# [telemetry]                   # left out: the recording's own
# source = "mavlink:udpin:127.0.0.1:14550"

[model]
# bundle = "my.bundle"          # left out: the default encoder
# matcher = "xfeat.bundle"      # left out: the local features that the encoder's bundle brings
# threads = 2                   # left out: one a core

[start]                         # left out: anywhere on the map
# lat = 47.51
# lon = 8.23
# radius_m = 300
# gnss_before_take_off = true    # instead: where the autopilot's GNSS says that the vehicle leaves the ground

[[link]]                        # as many as you like; left out: JSON lines on standard output
kind = "jsonl"                  # mavlink | nmea | msp | jsonl
path = "-"                      # or a file, which is appended to
"""
