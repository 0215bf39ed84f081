"""INT8 graphs: quantised with ranges measured on pictures, judged against FP32, with what INT8 hurts left float.

- ``pipeline``: the stages in order, from a bundle and its calibration set to two graphs and a report
- ``ranges``: how large activations are, and four rules where to clip them
- ``quantize``: Q/DQ nodes where TensorRT fuses them; ``cpu``: the same graph with Q/DQ where CPUs' kernels want them
- ``sensitivity``: what each node costs quantised alone, and the fewest that have to stay float
- ``gates``: what a reduced graph may lose; ``judging``: graphs measured beside FP32; ``changed_pictures``: queries for
  that where there is no flight
- ``layers``: noise layer by layer; ``report`` and ``report_pictures``: what was measured, for people and programs

FP32's activations are measured and its answers kept; nodes are ranked by what they cost; a graph is quantised, judged,
and quantised again with more left float until it passes; then it is written in both forms, each held to the cosines.
"""
