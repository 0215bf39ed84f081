"""The daemon on the aircraft: camera -> fixes -> autopilot, for ever.

run         the whole of a flight: opened, flown, closed; or only checked
opening     everything that a flight needs, opened and said
settings    ``skyfix.toml``
toml_table  a TOML table that refuses what nobody asked for
example     a ``skyfix.toml`` to begin with
frames      a recording, a growing folder or a camera as one stream of frames
autopilot   what the aircraft tells, and a link's way back to it
loop        each frame is located, counted, sent and remembered
ticker      ten positions a second between frames
keep        what the flight has taught, kept for a restart
notify      words to systemd
signals     SIGTERM, Ctrl-C and SIGHUP
service     the systemd unit
"""
