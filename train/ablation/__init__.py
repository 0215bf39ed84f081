"""The ablation of the loss: one arm after another on the same batches from the same weights, over several seeds.

How data passes: ``run`` opens the places (``data``), ``study`` renders the batches of a seed once (``stored_batches``)
and trains every arm (``arms``) on them; each run leaves one JSON file (``results``), and ``report`` makes tables
(``statistics``) and pictures (``chart``) of all that are there.

- ``__main__``: the command ``python -m train.ablation``; ``run`` is what it does.
- ``arms``: the losses under test and the questions that pairs of them answer; imports nothing heavy.
- ``data``: places to train on, places to score, places to choose a learning rate by.
- ``stored_batches``: the batches of a seed on disk, byte for byte the same for every arm.
- ``study``: trains and scores what has no result yet.
- ``results``: the record of one run, and all of them checked against each other.
- ``statistics``: means, spreads and paired differences over a handful of seeds.
- ``report``: Markdown and JSON; ``chart``: pictures.
"""
