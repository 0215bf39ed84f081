"""The encoder in flight: a bundle of graphs, checked and run by whichever library this machine has.

- ``manifest``: what a bundle's ``manifest.json`` states, read once into dataclasses
- ``bundle``: the folder with the graphs, each checked against the hash that the manifest states
- ``preprocess``: from a picture of ground to what an encoder reads; training, tiles and frames all come through here
- ``engine``: what an engine must do, whichever library is behind it
- ``engine_onnx``: the encoder on ONNX Runtime, and sessions for other graphs
- ``engine_trt``: the encoder on a TensorRT engine, with ``trt`` (the library), ``cuda`` (its memory and the GPU) and
  ``sidecar`` (what an engine was built from and for)
- ``golden``: one picture that every machine draws and its embedding, by which an engine is checked when it opens
- ``score_map``: from a cosine to a probability, as ``calib.score`` fitted it
- ``load``: from a bundle's folder to the engine that this device flies

``export`` and ``calib`` write a bundle; ``load.open_engine`` opens it, chooses the library and checks the golden
embedding; then (B, S, S, 3) bytes go in and (B, D) unit-norm embeddings come out. Nothing here imports torch or onnx.
``default.bundle`` is the encoder that ships.
"""
