"""Losses on the embeddings of a batch of pairs: row i of the drone's views and row i of the tiles show one place.

distances         cosines and distances of all views to all tiles, and which of these pairs are negatives
triplet           hinges over all triplets of a batch, or over the hardest of each query
soft_margin       the triplet loss without a corner
info_nce          cross-entropy of the right tile among all, with a learnable temperature
multi_similarity  pairs weighted by their similarity and by that of their neighbours
dphr              triplets weighted by how hard their negative is (RDA); the constants of DPHR
palw              how much of the weighted loss counts, by the progress of the training
distill           what a small encoder learns of a large one's similarities
objective         a host loss, DPHR or both, on whole embeddings and on their prefixes: what a run minimises

A batch goes through ``distances`` once, each loss reads its matrix, and :class:`objective.Objective` adds them up.
"""
