"""A frame in, a verdict out: ``Localizer.step``.

    localizer     the way of a frame through this room
    load          from files to a localizer
    ground_view   lays a frame on the ground under each supposed heading; which frames cannot be used
    retrieve      which tiles look like the frame
    candidates    where on the map to look closely
    domain        what all frames of a flight have in common, as light and season
    seek          finds a frame: about the place that is believed, else anywhere
    features      keypoints of a picture
    map_features  keypoints of the map, found once a block
    similarity    rotation, scale and shift between matches
    registration  which ground each pixel shows
    verify        registers at each candidate, has the pose borne out
    pose          the camera's pose from a registration
    offset        what may be wrong with what is told of attitude, altitude and lens, as one vector
    mount         what stays wrong along a flight: three accounts of it
    found         what a flight has found of its camera, for people
    explain       what a registered frame says under each account
    flow          how far the drone came between two frames, by pictures
    motion        the same by the velocity that is told, as far as it was borne out
    feed          whether pictures and telemetry go on
    track         the Kalman filter
    placement     a place where the drone may be: a track, its probability, what it rests on
    posterior     all placements, and the rest of the map: one distribution
    position      a position that is measured, and one that may be said
    belief        what may be said of the posterior, and when
    state         all that a flight has taught, as one value
    kept          numbers that come back from a kept state
    outlook       what can be said between frames, as a value
    limits        every number that decides which ground a frame shows, a record a stage
    belief_limits  every number that decides what is believed and said
    suspect       what telemetry would have to say, where nothing fits
    stages        how long each stage took

A frame passes ``feed`` -> ``ground_view`` -> ``flow`` and ``motion`` -> ``seek`` (``retrieve``, then ``verify`` with
``registration`` and ``pose``) -> ``explain`` (``mount``) -> ``belief`` (``posterior``) -> a fix.
"""
