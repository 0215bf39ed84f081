"""How fast an encoder might be on a Jetson, read off its graph: an estimate, never a measurement.

- ``cost``: multiply-accumulates and bytes moved, kernel by kernel
- ``jetsons``: the modules and their peaks, as data
- ``roofline``: from both to milliseconds

A bundle's FP32 graph is cut into kernels, each is given the longer of its arithmetic and its memory traffic, and all
are summed.
"""
