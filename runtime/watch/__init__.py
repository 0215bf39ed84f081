"""How the flight is going.

health  counts verdicts, and tells when bad ones last
gnss    tells when the autopilot's GNSS and the visual position disagree
"""
