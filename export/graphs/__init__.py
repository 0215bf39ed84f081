"""ONNX graphs: made from a network, changed, checked against rules, and held against each other.

- ``trace``: from a PyTorch module to a graph whose nodes carry the names of its modules
- ``batch``: a copy for exactly so many pictures, with every shape stated
- ``precision``: the backbone in FP16, weights stored as FP16, and the graph of a file with FP32 weights again
- ``wiring``: which node makes a tensor, and which read it
- ``rules``: what TensorRT asks of an encoder's graph, as data; ``breaches``: what breaks each rule; ``lint``: all
  findings of a graph
- ``parity``: embeddings of pictures on the CPU, and how far apart two graphs are
- ``drawn_ground``: pictures for that where there is no data

A network is traced, perhaps given a fixed batch or halved, linted, written and embedded, and refused where its
embeddings are not those of PyTorch. Who does that is in ``export.bundles``; INT8 is ``export.int8``.
"""
