"""A camera's lens from pictures of a board: ``python -m calib.camera``.

- ``board``: the board, and its corners in a picture; ``print_board``: a board to print
- ``shots``: grey pictures of folders and videos, one at a time
- ``views``: from pictures to views of the board: corners to a fraction of a pixel, sharp ones, no two alike
- ``intrinsics``: focal length, principal point and distortion from views, and how well they are known
- ``checks``: what is useless or too poor to fly with; ``wrong_board``: the board that pictures show instead
- ``report`` and ``pictures``: a calibration in words, and as two pictures
- ``pipeline``: all of it in order, and ``camera.yaml``

Pictures become views, views that differ are fitted with a part held out in turn, and what passes the checks is written.
"""
