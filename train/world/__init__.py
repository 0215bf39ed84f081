"""A small generated world: a map of one date and a recorded flight over another date of the same place.

It serves the demo, the documentation and the tests. It never stands for accuracy: its ground is flat, its buildings do
not lean, and whoever drew the map also drew the flight. Accuracy is measured on real flights alone.

A plan says what stands where: zoning.py draws it on streets.py, with site.py, lots.py, open_land.py and routes.py.
A picture shows it on a date: picture.py paints it with canvas.py, covers.py, noise.py, objects.py and light.py.
flight.py flies over the picture and writes it all down.
"""
