"""A recorded flight through the code that flies, then scored against the truth.

replay      flies it, writes fixes, report and picture
score       how good the fixes were
flight_map  the flight as a picture: map, true track, fixes with their ellipses
"""
