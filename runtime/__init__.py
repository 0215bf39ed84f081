"""What flies: from a bundle and a map to fixes. Knows nothing of training, export or calibration.

    types, errors, files      aliases; what a user can do wrong; files that are whole or absent
    clock                     the clock that is never set
    frame, fix                the two nouns: a frame in, a verdict out
    start, table, pictures    a start position, CSV tables, picture files
    integrity                 hashes by which a cache and its map are trusted piece by piece
    command, progress         what every command's main shares; bars and live lines on a terminal

    geo/      pure maths: places, cameras, rectification, terrain
    maps/     maps and terrain models as people have them, read into one form
    model/    bundles and engines: a picture in, an embedding out
    sensors/  recorded frames and telemetry
    ways/     bytes over UDP, TCP and serial ports
    tiles/    the tile cache: built, searched, cut, merged, signed
    flights/  recorded flights and their truth
    cameras/  cameras that are flown with
    aircraft/ what the aircraft tells while it flies
    locate/   a frame in, a verdict out
    link/     where verdicts go: autopilots, gpsd, files
    watch/    how the flight is going
    replay/   a recorded flight, flown and scored
    daemon/   the loop on the aircraft
    doctor/   checks before the flight

Imports run downwards: ``doctor`` -> ``daemon`` -> ``replay``, ``link``, ``watch`` -> ``locate`` -> ``tiles``,
``flights``, ``cameras``, ``aircraft`` -> ``maps``, ``model``, ``sensors``,
``ways`` -> ``geo``. import-linter keeps it so.
"""
