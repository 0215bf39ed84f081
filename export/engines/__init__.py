"""TensorRT engines, built on the device that flies them.

- ``device``: the machine, as far as it tells
- ``builder``: an engine and its sidecar from a bundle's graph
- ``selection``: engines built, held against FP32 and timed, and the ones worth flying kept

Nothing here needs onnx or torch: a device is brought its graphs. ``runtime.model.engine_trt`` flies what is kept.
"""
