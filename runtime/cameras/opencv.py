"""What cameras that are read with OpenCV share."""

from __future__ import annotations

import re

import cv2
import numpy as np

from runtime.types import Picture


def retrieve_rgb(capture: cv2.VideoCapture) -> Picture | None:
    """Return the picture that was grabbed last as RGB; None where it cannot be decoded."""
    read, picture = capture.retrieve()
    if not read or picture is None:
        return None
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


def has_gstreamer(build_information: str = "") -> bool:
    """Tell whether this OpenCV was built with GStreamer; wheels of the package index are not, a Jetson's own is."""
    text = build_information or cv2.getBuildInformation()
    return re.search(r"^\s*GStreamer:\s*YES", text, re.MULTILINE) is not None
