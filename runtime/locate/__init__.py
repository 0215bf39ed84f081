"""A frame in, a verdict out: ``Localizer.step``.

    localizer     the way of a frame through this room
    load          from files to a localizer
    ground_view   lays a frame on the ground under each supposed heading; which frames cannot be used
    retrieve      which tiles look like the frame
    place_grid    probabilities over the whole map, fed by retrieval
    features      keypoints of a picture
    map_features  keypoints of the map, found once a block
    similarity    rotation, scale and shift between matches
    registration  which ground each pixel shows
    verify        registers at each candidate, has the pose borne out
    pose          the camera's pose from a registration
    mount         what stays wrong along a flight
    flow          how far the drone came between two frames
    track         the Kalman filter
    belief        which measurements are believed, and which position stands
    limits        every number that decides what is believed, a record a stage
    stages        how long each stage took

A frame passes ``ground_view`` -> ``retrieve`` -> ``verify`` (``registration``, ``pose``) -> ``belief`` -> a fix.
"""
