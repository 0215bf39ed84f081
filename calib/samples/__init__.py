"""Pictures as the encoder will meet them, for measuring and for judging reduced graphs.

- ``sources``: frames of a flight laid on the ground, windows of a map, or plain pictures, as samples
- ``diverse``: samples that are like the whole and cover its edges
- ``choice``: a calibration set chosen, stored and entered into a bundle
- ``stored_set``: that set as files beside the manifest
- ``gate_set``: queries, a gallery and the right answers, on which a reduced graph is judged

``calib.int8`` reads sources, keeps the diverse ones and stores them; ``export.trt --int8`` reads them back, measures
ranges on three of four and judges on the fourth and on gate sets.
"""
