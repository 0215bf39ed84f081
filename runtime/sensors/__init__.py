"""Where frames and telemetry come from: one source a file, each a generator of frames.

source       a camera that is flown with, and what it gives
folder       pictures that ``telemetry.csv`` names, or a folder that grows
video        a video file
telemetry    ``telemetry.csv``, and telemetry between its rows
buffer       live telemetry at a frame's time, from samples that came at times of their own
channel      the samples of one quantity: interpolated, held, and the impossible refused
gimbal       where the camera looks: the vehicle's attitude and a gimbal or a fixed mount
quaternion   rotations as MAVLink has them
camera_info  ``camera.yaml``
pace         keeps a recording to its own clock
"""
