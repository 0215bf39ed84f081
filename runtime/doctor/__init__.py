"""Will it fly? Checks before the flight, each of which says what it found and how to mend it.

    finding  what a check found
    files    the files that a ``skyfix.toml`` names: map, hashes, encoder, start, features, camera, source, links

A check never raises: what is wrong is a finding. What needs a thing that is wrong is not checked. The command exits
with 1 where any is not good.
"""
