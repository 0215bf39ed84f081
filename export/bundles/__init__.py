"""Bundles: a checkpoint's graphs with a manifest that names, hashes and judges each.

- ``encoder``: a checkpoint becomes a bundle with FP32 and FP16 graphs, each proved against PyTorch
- ``card``: what a graph is and what made it, for the manifest and inside the graph
- ``golden``: what a bundle's engines are checked against when they open
- ``reduced``: FP16 and INT8 graphs made from FP32 and entered into a manifest
- ``local_features``: features of ``train.local`` put into an encoder's bundle; ``xfeat``: XFeat as a bundle of its own;
  ``matcher_graph``: the graph of either

A network is traced (``export.graphs``), proved, and written; then its line is added to the manifest, all else of which
stays as it was.
"""
