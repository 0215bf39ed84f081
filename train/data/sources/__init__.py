"""Kinds of training data: each module opens one and gives a ``PairSource`` of scenes.

How data passes: ``train.data.open`` calls a module's ``open_...`` with a path, a choice of places and how views vary;
the source that comes back renders scene after scene, each a function of its number and a random generator alone.

- ``overhead``: pictures taken straight down; drone's views of them are rendered.
- ``map_cells``: cells of a GeoTIFF, rendered the same way.
- ``generated_world``: cells of generated worlds on two dates; needs no files.
- ``recorded_flight``: frames of a recorded flight, laid on the ground as on board, and the map there.
- ``registered_pairs``: two registered pictures of a place; ``unregistered_pairs``: two that nobody registered.
- ``whole_pictures``: pictures that are used whole, as benchmarks deliver them.
"""
