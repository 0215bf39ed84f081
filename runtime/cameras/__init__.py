"""Cameras that are flown with: each read in a process of its own, the newest picture wins.

source     a camera that is flown with, and what it gives
opening    what ``[camera] source`` names, and the source that reads it
options    how a camera is to be opened
capture    a source in a process of its own: the newest picture, its health
process    that process as its parent sees it
child      that process as it sees itself
mailbox    what the two share
csi        CSI cameras of a Jetson
v4l2       cameras with a Video4Linux driver
rtsp       network cameras
gstreamer  a pipeline read through OpenCV
opencv     what cameras that are read with OpenCV share
recorded   recordings flown again as if they were cameras

A driver that hangs is killed, and opened anew; nothing here stops who flies with it.
"""
