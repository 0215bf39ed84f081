"""A small generated world: a map of one date and a recorded flight over another date of the same place.

It serves the demo, the documentation and the tests. It never stands for accuracy: its ground is flat, its buildings do
not lean, and whoever drew the map also drew the flight. Accuracy is measured on real flights alone.

How data passes: ``zoning`` draws a plan from a seed; ``picture`` paints the plan on a date; ``flight`` renders frames
of one date's picture, and shrinks the other's to the map.

A plan says what stands where:

- ``plan``: its records (areas, strips, buildings, trees, parking slots) and the geometry of outlines and lines.
- ``streets``: a river, roads and the blocks between them, bent.
- ``site``: a block seen from one of its streets, and the verbs with which it is filled.
- ``lots``, ``open_land``: uses of a block, built and open.
- ``routes``: roads with their markings, the river with its banks, the bridge.
- ``zoning``: from a seed to a whole plan.

A picture shows the plan on a date:

- ``covers``: the two dates: colours of covers, sun and sensor.
- ``canvas``: colour, roughness and height of the ground, which grow together.
- ``noise``: patterns laid out in metres.
- ``objects``: painters of buildings, cars and trees.
- ``light``: sun, shadows, texture and the sensor.
- ``picture``: paints a plan in its order, and lights it.

A flight is written down over it:

- ``flight``: poses, frames, telemetry, truth and the map; ``hills``: a terrain for the world to lie on.
- ``lies``: what telemetry, camera, clock, map and operator may tell wrong of any flight.
- ``__main__``: the command ``python -m train.world``.
"""
