"""What has to be measured before a flight: the lens, the pictures for INT8, the worth of a similarity.

- ``int8``: the command that chooses a bundle's calibration set; ``samples/``: the pictures, and sets of them
- ``camera/``: a lens from pictures of a board (``python -m calib.camera``)
- ``score/``: what a similarity is worth, from recorded flights (``python -m calib.score``)
- ``drawing``: what the calibrations' pictures are drawn with
- ``options``: words and limits that ``--help`` shows

Frames go in; ``camera.yaml``, a calibration set and ``score.json`` come out, which ``export`` and ``runtime`` read.
"""
