"""Where recorded frames and telemetry come from: one source a file, each a generator of frames.

folder       pictures that ``telemetry.csv`` names, or a folder that grows
video        a video file
telemetry    ``telemetry.csv``, and telemetry between its rows
camera_info  ``camera.yaml``
pace         keeps a recording to its own clock
"""
