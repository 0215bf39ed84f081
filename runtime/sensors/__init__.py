"""Where frames and telemetry come from: one source a file, each a generator of frames.

source             a camera that is flown with, and what it gives
opening            what ``[camera] source`` names, and the source that reads it
options            how a camera is to be opened
capture            a source in a process of its own: the newest picture, its health
process            that process as its parent sees it
child              that process as it sees itself
mailbox            what the two share
csi                CSI cameras of a Jetson
v4l2               cameras with a Video4Linux driver
rtsp               network cameras
gstreamer          a pipeline read through OpenCV
opencv             what cameras that are read with OpenCV share
recorded           recordings flown again as if they were cameras
folder             pictures that ``telemetry.csv`` names, or a folder that grows
video              a video file
telemetry          ``telemetry.csv``, and telemetry between its rows
camera_info        ``camera.yaml``
pace               keeps a recording to its own clock
buffer             live telemetry at a frame's time, from samples that came at times of their own
channel            the samples of one quantity: interpolated, held, and the impossible refused
gimbal             where the camera looks: the vehicle's attitude and a gimbal or a fixed mount
quaternion         rotations as MAVLink has them
clock_map          an autopilot's stamps on this computer's clock
gnss               what a receiver says, for the watch over it alone
mavlink_telemetry  the thread that listens to an autopilot
mavlink_inbox      whose a message is, of what time, and where it goes
mavlink_decode     what a message says, in the units of the inside
mavlink_stream     messages in a stream of bytes, and bytes of messages
mavlink_requests   what an autopilot is asked for, and when
mavlink_port       UDP, TCP and serial ports
"""
