"""A training run, from its spec to its files.

launch          a run as the command starts it: settings from flags, Ctrl-C, what is said on the way
fit             the run itself: train, validate, save, draw
run_state       what changes while a run trains, and what a resumed run needs
sampler         which scenes meet in a batch: each place at most once
hard_batches    batches of places that look alike
batches         batches from worker processes, and steps on them to the end of the run
loop            one step: embed, loss, gradient, update
gradient_cache  the gradient of a batch that does not fit on the GPU at once
distributed     this process among its equals on other GPUs
validation      held-out places: how well they are found, and what is taken for what
bad_batch       the batch that broke a run, kept for a person to look at
log_line        a line of the log
run_log         the log on disk, and TensorBoard's events
plots           the log and the hardness of triplets as pictures

Data flows one way: ``sampler`` -> ``batches`` -> ``loop``, which yields one result a step to ``fit``, which validates,
logs and saves. All that a step changes is in ``run_state``.
"""
