"""What the aircraft tells while it flies: attitude, altitude and velocity at a frame's time, by MAVLink.

buffer             live telemetry at a frame's time, from samples that came at times of their own
channel            the samples of one quantity: interpolated, held, and the impossible refused
gimbal             where the camera looks: the vehicle's attitude and a gimbal or a fixed mount
quaternion         rotations as MAVLink has them
clock_map          an autopilot's stamps on this computer's clock
gnss               what a receiver says, for the watch over it
take_off           the place where the vehicle leaves the ground, where the settings ask GNSS for it
mavlink_telemetry  the thread that listens to an autopilot
mavlink_inbox      whose a message is, of what time, and where it goes
mavlink_decode     what a message says, in the units of the inside
mavlink_stream     messages in a stream of bytes, and bytes of messages
mavlink_requests   what an autopilot is asked for, and when

Its GNSS is for the watch over it; in the air no position of it ever reaches the localizer.
"""
