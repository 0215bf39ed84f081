"""Public benchmarks as they are released: pairs to train on, the official queries and galleries, and what is wrong.

How data passes: ``registry`` parses ``KIND:ROOT#PARTS`` and asks the benchmark's module, which reads the folders and
answers in the records of ``benchmark``.

- ``benchmark``: what every module of a benchmark answers, and in which records.
- ``registry``: the modules by their kinds, and a folder with the parts of it that are wanted.
- ``folders``: folders of places, each a folder of pictures, and what may be wrong with them.
- ``two_views``: the layout that University-1652 and DenseUAV share.
- ``university1652``, ``denseuav``, ``sues200``: pictures that are used whole.
- ``visloc``: flights over maps (UAV-VisLoc): splits, tiles and queries; ``visloc_flights`` reads its tables,
  ``visloc_map`` its maps, ``visloc_source`` lays its pictures on the ground.
"""
