"""Recorded flights: a folder of frames, telemetry and perhaps the truth.

flight  opens and checks a flight, yields its frames
truth   reads where the drone really was; only scorers import it
"""
