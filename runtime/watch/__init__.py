"""How the flight is going.

health  counts verdicts, and tells when bad ones last
doubts  what the localizer doubts, in a pilot's words
gnss    tells when the autopilot's GNSS and the visual position disagree
"""
