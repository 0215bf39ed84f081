"""How the flight is going.

health  counts verdicts, and tells when bad ones last
"""
