"""Where verdicts go: one link a file.

link          what is sent, and what a link is
fanout        all links at once, none waiting for another
worker        one link in its thread: opened, fed, opened anew
opening       links as a settings file names them
link_way      the way of a link, and what of it a person has to mend
wire          what every wire needs of a verdict: a sigma, whole numbers, the time of day
mavlink       GLOBAL_POSITION_SENSOR, GPS_INPUT and what goes with them, as fields
statustext    lines for the pilot, in pieces and not too many
mavlink_port  MAVLink 2 to an autopilot or a ground station
nmea          NMEA 0183 sentences
nmea_port     NMEA over its wires
msp           iNav's message of a position, in its frame
msp_port      MSP over its wires
byte_port     what NMEA and MSP share of a link
jsonl         JSON lines, on standard output, in a file, or to who reads a Unix socket
"""
