"""Training: from pictures of places to an encoder that puts a drone's view and the map tile of that ground close.

run        the command that trains; options: its flags
evaluate   the command that scores an encoder
choices    the closed sets of words that settings take
spec       all settings of a run in one record, and the presets
figures    the look of all charts

data       pictures of places: sources, benchmarks, views rendered from overhead pictures
render     what changes in a picture between two dates and two cameras
model      the encoder as a network, and its files
losses     what a batch of embeddings is worth
fit        a run, from its spec to its files
scoring    how good an encoder is
local      keypoints and descriptors on the encoder's trunk
ablation   what each part of the loss is worth
world      generated worlds to train and fly in

A batch goes data -> fit -> model -> losses and back as a gradient; ``scoring`` says how well held-out places are found.
"""
