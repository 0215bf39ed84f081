"""What a similarity is worth, from recorded flights: ``python -m calib.score``.

- ``queries``: the similarities of a frame to every tile of its level, and which of them is right
- ``fit``: a temperature and an outlier share by maximum likelihood
- ``judge``: how good the probabilities are on frames that a fit has not seen
- ``pictures``: whether probabilities are true, and how far apart right and wrong similarities lie
- ``store``: what is kept of a fit, in a file and in the bundle
- ``pipeline``: all of it in order

Every frame of a flight with truth is searched in the whole cache; the fit goes into ``score.json``, which
``runtime.model.score_map`` reads.
"""
