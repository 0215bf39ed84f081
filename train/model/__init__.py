"""The encoder as a PyTorch network, and its files.

encoder           camera bytes in, a unit-norm vector out
backbone          timm networks without their classifier, and where their weights come from
bundle_weights    the weights of an exported bundle, back in a network
checkpoint        an encoder and the state of a run on the disk
teacher           a larger encoder whose similarities a smaller one learns
amp               half precision where it pays
conv_folding      a convolution and the norm after it as one, while training
cpu_convolutions  the same result faster on a CPU
fake_quant        rounding as the INT8 graph does, while training

An :class:`encoder.EncoderSpec` says what is built; ``encoder`` asks ``backbone`` or ``bundle_weights`` for the weights;
the last three change how the convolutions of a built encoder compute, never its parameters or their names.
"""
