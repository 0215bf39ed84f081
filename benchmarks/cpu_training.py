"""How long is a training step on a CPU, by PyTorch and by ``train/model/cpu_convolutions.py``? One run, in turn.

python benchmarks/cpu_training.py [--pictures 96] [--side 192] [--threads 2]
"""

from __future__ import annotations

import argparse
from functools import partial

import torch
from report import median_ms, print_setting

from train.model.cpu_convolutions import quicken
from train.model.encoder import Encoder, EncoderSpec


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=96)
    parser.add_argument("--side", type=int, default=192, metavar="PX")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    print_setting(args.threads)
    pictures = torch.randint(0, 256, (args.pictures, args.side, args.side, 3), dtype=torch.uint8)
    for dtype in (None, torch.bfloat16):
        for quick in (False, True):
            encoder = Encoder(EncoderSpec(side_px=args.side))
            encoder.fixed_norms, encoder.amp_dtype = True, dtype
            if quick:
                quicken(encoder)
            took_ms = median_ms(partial(step, encoder.train(), pictures), calls=3, warmup=1)
            print(
                f"{dtype or torch.float32}, {'quickened' if quick else 'plain'}: {took_ms / 1e3:.2f} s a step",
                flush=True,
            )


def step(encoder: Encoder, pictures: torch.Tensor) -> None:
    """Forward and backward of a loss that reaches every weight."""
    rows = encoder(pictures)
    (rows @ rows.T).square().mean().backward()
    encoder.zero_grad()


if __name__ == "__main__":
    main()
