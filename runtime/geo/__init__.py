"""Pure maths of places and cameras: no files, no state.

mercator  Web Mercator metres, XYZ tiles, the scale between map and ground
local     metres east and north of an origin; distances
bounds    a box on the map
camera    a pinhole camera and its attitude; which ground a pixel sees
rectify   from a frame to a north-up patch of flat ground
terrain   ground that is not flat, and where rays meet it
"""
