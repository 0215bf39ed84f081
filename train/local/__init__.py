"""Local features for registration: keypoints and descriptors, learnt on the frozen trunk of an encoder.

How data passes: ``pairs`` renders two views whose warp is known and asks a teacher where keypoints are; ``network``
makes dense maps of both; ``losses`` compares them along the warp; ``fit`` steps by the clock; ``store`` writes the file
that ``export.local`` puts into a bundle.

- ``__main__``: the command ``python -m train.local``; ``spec`` holds its settings.
- ``fit``: the training, from a spec to held-out scores.
- ``network``: the trunk's maps joined at stride 4, and what a matcher's graph gives.
- ``losses``: descriptors, reliability and keypoints.
- ``pairs``: pairs of views with their warp and the teacher's keypoints.
- ``store``: weights in a file, with the spec that made them.
"""
