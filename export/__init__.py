"""From checkpoints to what flies: encoder bundles, reduced graphs, engines.

Commands, each a thin module: ``onnx`` (a checkpoint becomes a bundle), ``local`` (local features go into it), ``trt``
(its FP16 and INT8 graphs, and engines where TensorRT is), ``golden`` (what engines are checked against), ``matcher``
(XFeat as a bundle), ``lint`` (does a graph keep the rules?), ``estimate`` (how fast might it be on a Jetson?).

- ``options``: the words that ``--help`` offers; ``needs``: optional packages are asked for before the work
- ``graphs/``: ONNX graphs made, changed, checked and compared
- ``bundles/``: graphs with a manifest that names, hashes and judges each
- ``int8/``: quantised graphs, judged against FP32
- ``engines/``: TensorRT engines, built on the device that flies them
- ``estimates/``: a graph's cost, and a roofline over it

A checkpoint of ``train`` is traced and proved (``export.onnx``); pictures chosen by ``calib.int8`` give INT8 its ranges
(``export.trt --int8``); the bundle goes to the device, which builds its engine, and ``runtime.model`` flies it.
"""
