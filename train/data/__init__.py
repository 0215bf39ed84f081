"""Training data: from ``KIND:PATH`` on a command line to batches of pairs, drone's view and map tile of one place.

How data passes: ``open`` parses the entries and opens a source for each (``sources/``, ``benchmarks/``);
``broken_pictures`` leaves out what cannot be read; a source renders two views of a scene (``view_pair``, or pictures as
they are); ``dataset`` changes their light and season (``train/render``) and hands them to the loader as a ``batch``.

- ``__main__``: the command ``python -m train.data``; ``check`` is what it does, ``sheet`` draws its picture of pairs.
- ``split``: the names of the parts into which places are divided.
- ``source``: what every kind of data looks like to the trainer: places, and two views of each.
- ``manifest``: lists of pictures as CSV, and the choice of places for a split.
- ``view_spec``: how views are rendered, as far as a user may choose.
- ``view_pair``: a tile and a drone's view of the same ground, rendered from one overhead picture.
- ``geotiff``: windows of a map of any size and CRS, in metres.
- ``open``: an entry of ``--data`` becomes a source.
- ``broken_pictures``: every picture is looked at once, before a run starts.
- ``dataset``: scenes of several sources by their number; the same seed, epoch and scene give the same pixels.
- ``batch``: what the trainer takes a step on, and which of its pairs are no negatives.
- ``retrieval_set``: queries and a gallery to score an encoder on.
- ``sources/``: a module for each kind of data of one's own; ``benchmarks/``: the public ones.
"""
