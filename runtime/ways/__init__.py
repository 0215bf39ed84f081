"""Ways for bytes to an autopilot, to gpsd, to whoever listens; they know nothing of what the bytes say.

address      where a way leads, as a settings file has it
way          what a way is, and how one is opened
piece        bytes that came in, and from whom
udp          datagrams
tcp          a connection to a server, or a server
serial_port  a serial port, ours alone
readers      who reads from a listening socket
trouble      what is wrong with a way that does not open, in words
"""
