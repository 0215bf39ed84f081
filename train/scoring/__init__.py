"""How good an encoder is: queries of one view, a gallery of the other, and where the right pictures come.

evaluate_spec   what an evaluation is asked to do; imports nothing heavy
evaluation      the library behind ``train.evaluate``: from its spec to scores, pictures and files
evaluated_sets  the retrieval sets of benchmarks, of unregistered pairs and of rendered views
open_encoder    an encoder from a checkpoint or a bundle, as one function of pictures
embed           pictures to rows, however they are read; retrieval sets of rendered views
ranking         where the right items come for each query: R@K and AP as the benchmarks define them
distances       how far off the answers lie, where a benchmark says where its pictures are
robustness      R@1 of queries that are turned, scaled or shifted
confusions      what is taken for what, as a grid of pictures
failures        the surest mistakes of a set, drawn; the scores of its places, as CSV
report          the table for people and the JSON for programs

``evaluated_sets`` names pictures, ``embed`` makes rows of them, ``ranking`` ranks the rows, and ``report`` and
``failures`` say what came of it. A run's validation takes the same ``embed`` and ``ranking``.
"""
