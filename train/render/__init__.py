"""Pictures that training and the generated world need and nobody took: views of a drone, other days, other lenses.

How data passes: an overhead picture goes in, with a camera, an attitude and a height; a drone's view comes out. What
light, season and sensor do to a picture is drawn for each view on its own.

- ``drone_view``: a drone's view of a georeferenced overhead picture, on flat ground or on hills.
- ``augment``: the same ground on another day through another lens.
"""
